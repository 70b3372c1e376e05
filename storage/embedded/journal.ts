// The journal: one line per event, `crc32 json`, appended to numbered segments and synced before anybody is told.
//
// Reading stops at the first line that is not whole. When no good record follows, it is the torn end of a write that was cut: the bytes are
// put aside and the file is cut to its last good line. When one follows, the file was damaged: STORAGE_CORRUPT, and nothing is changed.
// Events that come while a write is under way share the next write and its sync (group commit).
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { fail } from '../../core/errors.ts';
import { parseEvent, type StoredEvent } from '../../core/events.ts';
import type { Journal } from '../../core/ports.ts';
import { syncFolder, writeFully } from '../atomic-write.ts';

const SEGMENT = /^(\d{12})\.ndjson$/;
const SEGMENT_BYTES = 32 * 1024 * 1024;
const NEWLINE = 0x0a;
/** What stands between the checksum and the number of every record. */
const RECORD_START = ' {"seq":';

interface Waiting {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Opens the journal in a folder, which is made when it is not there. */
export async function openJournal(folder: string): Promise<Journal> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  let waiting: Waiting[] = [];
  let isWriting = false;
  let written = Promise.resolve();
  let file: { readonly handle: FileHandle; bytes: number } | undefined;
  let broken: unknown;

  async function segmentFor(firstSeq: number): Promise<{ readonly handle: FileHandle; bytes: number }> {
    if (file && file.bytes < SEGMENT_BYTES) return file;
    await file?.handle.close();
    const last = (await segments(folder)).at(-1);
    const lastBytes = last ? (await stat(last)).size : 0;
    const name = last && lastBytes < SEGMENT_BYTES ? last : path.join(folder, `${String(firstSeq).padStart(12, '0')}.ndjson`);
    const handle = await open(name, 'a', 0o600);
    if (name !== last) await syncFolder(folder);
    file = { handle, bytes: (await handle.stat()).size };
    return file;
  }

  async function drain(): Promise<void> {
    // no await between finding nothing more and saying so: an event that comes right then must find somebody who writes it
    for (isWriting = true; waiting.length > 0; ) {
      const batch = waiting;
      waiting = [];
      try {
        if (broken) throw broken;
        const bytes = Buffer.from(batch.map((entry) => entry.line).join(''));
        const segment = await segmentFor(seqOf(batch[0]?.line ?? ''));
        await writeFully(segment.handle, bytes);
        await segment.handle.datasync();
        segment.bytes += bytes.length;
        for (const entry of batch) entry.resolve();
      } catch (error) {
        // what is on disk is unknown now: only a new start that reads it may go on
        broken = error;
        for (const entry of batch) entry.reject(error);
      }
    }
    isWriting = false;
  }

  return {
    append(event) {
      return new Promise((resolve, reject) => {
        waiting.push({ line: lineOf(event), resolve, reject });
        if (!isWriting) written = drain();
      });
    },
    async *read(after = 0) {
      const names = await segments(folder);
      for (const [at, name] of names.entries()) yield* readSegment(name, after, at === names.length - 1);
    },
    async close() {
      await written;
      await file?.handle.close();
      file = undefined;
    },
  };
}

async function* readSegment(file: string, after: number, isLast: boolean): AsyncGenerator<StoredEvent> {
  let good = 0;
  let bad: { readonly at: number; readonly number: number } | undefined;
  let number = 0;
  for await (const line of lines(file)) {
    number++;
    const event = line.whole ? eventOf(line.bytes) : undefined;
    if (event && !bad) {
      good += line.bytes.length + 1;
      if (event.seq > after) yield event;
      continue;
    }
    bad ??= { at: good, number };
    if (event || holdsRecord(line.bytes)) fail('STORAGE_CORRUPT', `The journal ${file} is damaged at line ${bad.number}, byte ${bad.at}, and good records follow.`);
  }
  if (!bad) return;
  if (!isLast) fail('STORAGE_CORRUPT', `The journal ${file} is damaged at line ${bad.number}, byte ${bad.at}, and later segments follow.`);
  await cutTorn(file, bad.at);
}

/** Keeps the bytes behind `at` in a file of their own, then cuts them off. */
async function cutTorn(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const torn = Buffer.alloc(size - at);
    await handle.read(torn, 0, torn.length, at);
    await writeFile(`${file}.torn-${size}`, torn, { mode: 0o600 });
  } finally {
    await handle.close();
  }
  await truncate(file, at);
}

async function* lines(file: string): AsyncGenerator<{ readonly bytes: Buffer; readonly whole: boolean }> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    let from = 0;
    const data: Buffer = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    for (let end = data.indexOf(NEWLINE, from); end >= 0; end = data.indexOf(NEWLINE, from)) {
      yield { bytes: data.subarray(from, end), whole: true };
      from = end + 1;
    }
    rest = data.subarray(from);
  }
  if (rest.length > 0) yield { bytes: rest, whole: false };
}

/** `crc32 json` and a newline; the checksum is of the JSON. */
function lineOf(event: StoredEvent): string {
  const json = JSON.stringify(event);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

function eventOf(line: Buffer): StoredEvent | undefined {
  const json = line.subarray(9);
  if (line[8] !== 0x20 || crc32(json) !== Number.parseInt(line.subarray(0, 8).toString('latin1'), 16)) return undefined;
  return parseEvent(JSON.parse(json.toString('utf8')));
}

/** True when a whole record stands behind the beginning of these bytes: the newline before it was damaged. */
function holdsRecord(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(RECORD_START, 9); at >= 0; at = bytes.indexOf(RECORD_START, at + 1)) {
    if (eventOf(bytes.subarray(at - 8))) return true;
  }
  return false;
}

function seqOf(line: string): number {
  const { seq } = JSON.parse(line.slice(9));
  return Number(seq);
}

async function segments(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => SEGMENT.test(name))
    .sort()
    .map((name) => path.join(folder, name));
}
