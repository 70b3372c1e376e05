// The log of a session: the output its runs wrote to their own files, read in pages from any place, forwards or from the end.
// A place is `<run>:<byte>.<n>`: the n-th entry of the line that begins at that byte of that run's output.
import { type FileHandle, open, stat } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../core/errors.ts';
import type { LogEntry, LogPage, LogQuery, Logs } from '../core/ports.ts';

/** What one line of an agent's output says; from runners/transcript. */
export type ReadLine = (line: string) => readonly Omit<LogEntry, 'seq'>[];

export interface SessionLogsOptions {
  readonly stateDir: string;
  /** How the lines of this session's runs are to be understood. */
  readonly reader: (sessionId: string) => ReadLine;
}

const CHUNK_BYTES = 256 * 1024;
const LINE_BYTES = 1024 * 1024;
/** So many entries are looked at in one call; a caller that looks for what is rare goes on behind them. */
const MOST_LOOKED_AT = 50_000;
const NEWLINE = 0x0a;
/** So much of an entry a pattern is matched against, and so much in one call: the hub has others to answer. */
const MOST_MATCHED = 64 * 1024;
const MOST_MATCHED_IN_ALL = 4 * 1024 * 1024;
const PLACE = /^(\d{1,6}):(\d{1,15})\.(\d{1,6})$/;

interface Place {
  readonly run: number;
  readonly byte: number;
  readonly nth: number;
}

export function createSessionLogs({ stateDir, reader }: SessionLogsOptions): Logs {
  return {
    async page(sessionId, runs, query) {
      const read = reader(sessionId);
      const after = query.after === undefined ? undefined : placeOf(query.after);
      const source = { folder: path.join(stateDir, 'sessions', sessionId), runs, read, ...(await wanted(query)) };
      if (after) await expectThere(source, after, query.after);
      const upTo = query.upTo === undefined ? undefined : placeOf(query.upTo);
      return query.tail === undefined || after ? forwards(source, { after, upTo }, query) : fromEnd(source, query);
    },
  };
}

interface Source {
  readonly folder: string;
  readonly runs: number;
  readonly read: ReadLine;
  readonly isWanted: (entry: LogEntry) => boolean;
  /** True when as much was matched as may be in one call. */
  readonly isSpent: () => boolean;
}

async function forwards(
  source: Source,
  { after, upTo }: { readonly after: Place | undefined; readonly upTo: Place | undefined },
  query: LogQuery,
): Promise<LogPage> {
  const entries: LogEntry[] = [];
  let cursor = query.after;
  let room = query.characters;
  let looked = 0;
  for (let run = after?.run ?? 1; run <= source.runs; run++) {
    const from = run === after?.run ? after.byte : 0;
    for await (const line of linesFrom(outOf(source, run), from, await hasEnded(source, run))) {
      for (const entry of entriesOf(source, run, line)) {
        const place = placeOf(entry.seq);
        if (after && run === after.run && place.byte === after.byte && place.nth <= after.nth) continue;
        if (upTo && isBehind(place, upTo)) return { entries, cursor, more: false };
        if (++looked > MOST_LOOKED_AT || source.isSpent()) return { entries, cursor, more: true };
        const wanted = source.isWanted(entry);
        if (wanted && (entries.length >= query.limit || (entries.length > 0 && entry.text.length > room)))
          return { entries, cursor, more: true };
        cursor = entry.seq;
        if (!wanted) continue;
        entries.push(cut(entry, room));
        room -= entry.text.length;
      }
    }
  }
  return { entries, cursor, more: false };
}

async function fromEnd(source: Source, query: LogQuery): Promise<LogPage> {
  const most = Math.min(query.tail ?? query.limit, query.limit);
  const entries: LogEntry[] = [];
  let cursor: string | undefined;
  let room = query.characters;
  let looked = 0;
  for (let run = source.runs; run >= 1; run--) {
    for await (const line of linesBackwards(outOf(source, run), await hasEnded(source, run))) {
      for (const entry of entriesOf(source, run, line).reverse()) {
        cursor ??= entry.seq;
        if (!source.isWanted(entry)) {
          if (++looked > MOST_LOOKED_AT || source.isSpent())
            return { entries: entries.reverse(), cursor, more: false, isCutShort: true };
          continue;
        }
        if (entries.length >= most || (entries.length > 0 && entry.text.length > room))
          return { entries: entries.reverse(), cursor, more: false, earlier: true };
        entries.push(cut(entry, room));
        room -= entry.text.length;
      }
    }
  }
  return { entries: entries.reverse(), cursor, more: false };
}

interface Line {
  readonly at: number;
  readonly bytes: Buffer;
}

/** Lines from a byte on; the end of a file that still grows may be half a line, which is left for the next time. */
async function* linesFrom(file: string, from: number, ended: boolean): AsyncGenerator<Line> {
  const handle = await open(file).catch(() => undefined);
  if (!handle) return;
  try {
    let rest: Buffer = Buffer.alloc(0);
    let at = from;
    for (let position = from; ; ) {
      const chunk = await readAt(handle, position, CHUNK_BYTES);
      if (chunk.length === 0) {
        if (ended && rest.length > 0) yield { at, bytes: rest };
        return;
      }
      position += chunk.length;
      const data: Buffer = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      let start = 0;
      for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
        yield { at, bytes: data.subarray(start, end) };
        at += end + 1 - start;
        start = end + 1;
      }
      rest = data.subarray(start);
    }
  } finally {
    await handle.close();
  }
}

/** Lines from the end to the beginning; half a line at the end only when nobody writes any more. */
async function* linesBackwards(file: string, ended: boolean): AsyncGenerator<Line> {
  const handle = await open(file).catch(() => undefined);
  if (!handle) return;
  try {
    let position = (await handle.stat()).size;
    let tail: Buffer = Buffer.alloc(0);
    let complete = ended;
    while (position > 0) {
      const length = Math.min(CHUNK_BYTES, position);
      position -= length;
      let data: Buffer = Buffer.concat([await readAt(handle, position, length), tail]);
      for (let end = data.lastIndexOf(NEWLINE); end >= 0; end = data.lastIndexOf(NEWLINE)) {
        const line = data.subarray(end + 1);
        if (complete && line.length > 0) yield { at: position + end + 1, bytes: line };
        complete = true;
        data = data.subarray(0, end);
      }
      tail = data;
    }
    if (complete && tail.length > 0) yield { at: 0, bytes: tail };
  } finally {
    await handle.close();
  }
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

function entriesOf({ read }: Source, run: number, { at, bytes }: Line): LogEntry[] {
  const text =
    bytes.subarray(0, LINE_BYTES).toString('utf8') + (bytes.length > LINE_BYTES ? `… (${bytes.length} bytes in this line)` : '');
  return read(text.replace(/\r$/, '')).map((entry, nth) => ({ seq: `${run}:${at}.${nth}`, ...entry }));
}

function cut(entry: LogEntry, length: number): LogEntry {
  return entry.text.length <= length
    ? entry
    : { ...entry, text: `${entry.text.slice(0, length)}… (${entry.text.length} characters)` };
}

function isBehind(place: Place, other: Place): boolean {
  if (place.run !== other.run) return place.run > other.run;
  return place.byte === other.byte ? place.nth > other.nth : place.byte > other.byte;
}

/** Whether an entry is asked for. Fails with INVALID_INPUT. */
async function wanted({ kinds, grep }: LogQuery): Promise<Pick<Source, 'isWanted' | 'isSpent'>> {
  const matches = grep === undefined ? undefined : await patternOf(grep);
  let matched = 0;
  const isMatched = (text: string) => {
    if (!matches) return true;
    const part = text.slice(0, MOST_MATCHED);
    matched += part.length;
    return matches(part);
  };
  return {
    isWanted: ({ kind, text }) => (!kinds || kinds.includes(kind)) && isMatched(text),
    isSpent: () => matched > MOST_MATCHED_IN_ALL,
  };
}

async function patternOf(grep: string): Promise<(text: string) => boolean> {
  // only who looks for something waits for it
  const { RE2JS, RE2JSException } = await import('re2js');
  try {
    const pattern = RE2JS.compile(grep);
    return (text) => pattern.matcher(text).find();
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return fail(
      'INVALID_INPUT',
      `"${grep}" is no pattern: ${error.message}. RE2 syntax is taken, without look-around and back references.`,
    );
  }
}

async function hasEnded({ folder, runs }: Source, run: number): Promise<boolean> {
  if (run < runs) return true;
  return stat(path.join(folder, String(run), 'exit')).then(
    () => true,
    () => false,
  );
}

function outOf({ folder }: Source, run: number): string {
  return path.join(folder, String(run), 'out');
}

/** Fails with CURSOR_INVALID on a place behind the log. Its end is none: more may come. Of a run without a file nothing can be told. */
async function expectThere(source: Source, { run, byte }: Place, given: string | undefined): Promise<void> {
  const size = await stat(outOf(source, run)).then(
    (file) => file.size,
    () => byte,
  );
  if (run > source.runs || byte > size) fail('CURSOR_INVALID', `"${given}" is behind the end of the log.`);
}

function placeOf(seq: string): Place {
  const [, run, byte, nth] = PLACE.exec(seq) ?? fail('CURSOR_INVALID', `"${seq}" is not a place in a log.`);
  return { run: Number(run), byte: Number(byte), nth: Number(nth) };
}
