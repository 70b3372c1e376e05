// The journal: one line per event, `crc32 json`, appended to numbered segments and synced before anybody is told.
//
// Opening looks at the last segment. Where it stops being whole and no good record follows, that is the torn end of a write that was cut: the
// bytes are put aside and the file is cut to its last good line. Where one follows, the file was damaged: STORAGE_CORRUPT, and nothing is changed.
// Events that come while a write is under way share the next write and its sync (group commit).
//
// A write that failed, as on a full disk, is cut off the file again and refused, and with it all that wait behind it: their numbers follow on
// events that are not there. What comes next must carry the number after the last good event, so that no gap can ever be written.
import { closeSync, constants, fdatasync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { mkdir, rm, truncate } from 'node:fs/promises';
import { promisify } from 'node:util';
import { fail, ScopecraftError } from '../../core/errors.ts';
import type { StoredEvent } from '../../core/events.ts';
import type { Journal } from '../../core/ports.ts';
import { sync, type Writable, writeFully } from '../atomic-write.ts';
import { errnoOf } from '../errno.ts';
import { damageText, mendedEnd } from './journal-end.ts';
import { eventOf, lineOf, piecesOf, type Segment, segmentFile, segmentsIn, seqOf } from './journal-records.ts';
import { storageError } from './storage-error.ts';

const SEGMENT_BYTES = 8 * 1024 * 1024;
const SEGMENT_EVENTS = 5_000;

/** What the journal needs of an open segment. */
export interface SegmentFile extends Writable {
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  stat(): Promise<{ readonly nlink: number }>;
  close(): Promise<void>;
}

export interface JournalOptions {
  /** A new segment is begun when the last one has so many bytes or events. */
  readonly segmentBytes?: number;
  readonly segmentEvents?: number;
  /** Opens a segment for appending; tests put failing ones here. */
  readonly openSegment?: (file: string, isNew: boolean) => Promise<SegmentFile>;
}

interface Waiting {
  readonly seq: number;
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Opens the journal in a folder, which is made when it is not there, and mends a torn end. Fails with STORAGE_CORRUPT or STORAGE_FAILED. */
export async function openJournal(folder: string, options: JournalOptions = {}): Promise<Journal> {
  const { segmentBytes = SEGMENT_BYTES, segmentEvents = SEGMENT_EVENTS, openSegment = openSegmentFile } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw storageError(error, folder);
  });
  const segments = await segmentsIn(folder);
  const end = await mendedEnd(segments).catch((error: unknown) => {
    throw storageError(error, folder);
  });
  /** Number of the newest event on disk, and of the newest one that was taken; undefined while there never was one. */
  let last = end.last;
  let taken = last;
  /** Good bytes of the last segment; more are there only when `isDirty`. */
  let goodBytes = end.bytes;
  let isDirty = false;
  let isGone = false;
  let appended = 0;
  let failure: ScopecraftError | undefined;
  let handle: SegmentFile | undefined;
  let waiting: Waiting[] = [];
  let isWriting = false;
  let written = Promise.resolve();

  async function segmentFor(seq: number): Promise<SegmentFile> {
    if (isGone) fail('STORAGE_FAILED', `The journal ${folder} was removed while the hub ran.`);
    const segment = segments.at(-1);
    const isFresh = segment !== undefined && goodBytes < segmentBytes && seq - segment.first < segmentEvents;
    if (segment && isDirty) await truncate(segment.file, goodBytes);
    isDirty = false;
    if (isFresh) {
      handle ??= await openSegment(segment.file, false);
      return handle;
    }
    await letGo();
    const file = segmentFile(folder, seq);
    const opened = await openSegment(file, true);
    segments.push({ file, first: seq });
    goodBytes = 0;
    handle = opened;
    await sync(folder);
    return handle;
  }

  async function write(batch: readonly Waiting[]): Promise<void> {
    const bytes = Buffer.from(batch.map(({ line }) => line).join(''));
    const segment = await segmentFor(batch[0]?.seq ?? 0);
    isDirty = true;
    await writeFully(segment, bytes);
    await segment.datasync();
    isGone = (await segment.stat()).nlink === 0;
    if (isGone) fail('STORAGE_FAILED', `The journal ${folder} was removed while the hub ran.`);
    isDirty = false;
    goodBytes += bytes.length;
    appended += bytes.length;
    last = batch.at(-1)?.seq;
  }

  /** Nothing is done to it afterwards, also where it could not be closed: its number may be that of another file by then. */
  async function letGo(): Promise<void> {
    const full = handle;
    handle = undefined;
    await full?.close();
  }

  /** Cuts off what a failed write left. Where even that fails it is done before the next write. */
  async function takeBack(): Promise<void> {
    const broken = handle;
    handle = undefined;
    if (!broken) return;
    try {
      await broken.truncate(goodBytes);
      await broken.datasync();
      isDirty = false;
    } catch {
      // the next write tells whether the disk works again
    } finally {
      await broken.close().catch(() => undefined);
    }
  }

  async function drain(): Promise<void> {
    // no await between finding nothing more and saying so: an event that comes right then must find somebody who writes it
    for (isWriting = true; waiting.length > 0; ) {
      const batch = waiting;
      waiting = [];
      try {
        await write(batch);
        for (const entry of batch) entry.resolve();
      } catch (error) {
        const why = storageError(error, segments.at(-1)?.file ?? folder);
        const refused = [...batch, ...waiting];
        waiting = [];
        failure = why;
        // also where there is no event yet
        taken = last ?? (batch[0]?.seq ?? 1) - 1;
        await takeBack();
        for (const entry of refused) entry.reject(why);
      }
    }
    isWriting = false;
  }

  return {
    append: (event) =>
      new Promise((resolve, reject) => {
        if (taken !== undefined && event.seq !== taken + 1) {
          return reject(failure ?? new ScopecraftError('INTERNAL', `Event ${event.seq} cannot follow on event ${taken}.`));
        }
        taken = event.seq;
        waiting.push({ seq: event.seq, line: lineOf(event), resolve, reject });
        if (!isWriting) written = drain();
      }),
    read: (after = 0) =>
      read({ all: [...segments], isThere: (segment) => segments.some((one) => one === segment), lastBytes: goodBytes, after }),
    extent() {
      const first = segments[0]?.first ?? (last ?? 0) + 1;
      return { first, last: last ?? first - 1, bytes: appended };
    },
    async trim(upTo) {
      const before = segments.length;
      for (let [oldest, next] = segments; oldest && next && next.first <= upTo + 1; [oldest, next] = segments) {
        segments.shift();
        await rm(oldest.file, { force: true });
      }
      if (segments.length < before) await sync(folder);
    },
    async close() {
      await written;
      await letGo();
    },
  };
}

interface Reading {
  readonly all: readonly Segment[];
  /** False when the segment was trimmed meanwhile. */
  readonly isThere: (segment: Segment | undefined) => boolean;
  readonly lastBytes: number;
  readonly after: number;
}

async function* read({ all, isThere, lastBytes, after }: Reading): AsyncGenerator<StoredEvent> {
  const from = Math.max(
    0,
    all.findLastIndex(({ first }) => first <= after + 1),
  );
  let before: number | undefined;
  for (const [at, segment] of all.entries()) {
    if (at < from) continue;
    let next = segment.first;
    // a segment that was trimmed while those before it were read is no gap
    if (before !== undefined && before + 1 !== next && isThere(all[at - 1]))
      fail('STORAGE_CORRUPT', `The journal lacks the events ${before + 1} to ${next - 1} before ${segment.file}.`);
    try {
      for await (const pieces of piecesOf(segment.file, at === all.length - 1 ? lastBytes : undefined)) {
        for (const piece of pieces) {
          if (piece.kind === 'damage') fail('STORAGE_CORRUPT', damageText(segment.file, piece));
          const seq = seqOf(piece.json);
          if (seq !== next) fail('STORAGE_CORRUPT', `The journal ${segment.file} has event ${seq} where ${next} should be.`);
          if (seq > after) yield eventOf(piece.json);
          [before, next] = [seq, seq + 1];
        }
      }
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || isThere(segment)) throw error;
    }
  }
}

const synced = promisify(fdatasync);

/** Opens a segment for appending. Only the disk is waited for: a write to the cache takes a tenth of a pass through the pool of threads. */
export async function openSegmentFile(file: string, isNew: boolean): Promise<SegmentFile> {
  const fd = openSync(file, isNew ? 'ax' : constants.O_WRONLY | constants.O_APPEND, 0o600);
  return {
    write: async (bytes, offset, length) => ({ bytesWritten: writeSync(fd, bytes, offset, length) }),
    datasync: () => synced(fd),
    truncate: async (length) => ftruncateSync(fd, length),
    stat: async () => fstatSync(fd),
    close: async () => closeSync(fd),
  };
}
