// The form of a journal on disk: segments named after their first event, and in them one line per event, `crc32 json`.
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { fail } from '../../core/errors.ts';
import { EVENTS, parseEvent, type StoredEvent } from '../../core/events.ts';

const SEGMENT = /^(\d{12})\.ndjson$/;
const NEWLINE = 0x0a;
const COMMA = 0x2c;
const CHECKSUM_LENGTH = 9;
/** What stands between the checksum and the number of every record. */
const RECORD_START = ' {"seq":';

export interface Segment {
  readonly file: string;
  /** Number of its first event. */
  readonly first: number;
}

/** A piece of a segment: a good record, or bytes that are none, with the records that are found whole behind them on the same line. */
export type Piece =
  | { readonly kind: 'record'; readonly at: number; readonly line: number; readonly json: Buffer; readonly end: number }
  | {
      readonly kind: 'damage';
      readonly at: number;
      readonly line: number;
      readonly bytes: Buffer;
      readonly records: readonly Buffer[];
    };

/** The segments of a folder, oldest first. */
export async function segmentsIn(folder: string): Promise<Segment[]> {
  const names = await readdir(folder);
  return names.sort().flatMap((name) => {
    const first = SEGMENT.exec(name)?.[1];
    return first === undefined ? [] : [{ file: path.join(folder, name), first: Number(first) }];
  });
}

export function segmentFile(folder: string, first: number): string {
  return path.join(folder, `${String(first).padStart(12, '0')}.ndjson`);
}

/** `crc32 json` and a newline; the checksum is of the JSON. */
export function lineOf(event: StoredEvent): string {
  const json = JSON.stringify(event);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

/** The pieces of a segment in order, up to `length` bytes of it: those of one read together, for to wait for each would cost more than to check it. */
export async function* piecesOf(file: string, length?: number): AsyncGenerator<readonly Piece[]> {
  let at = 0;
  let number = 0;
  for await (const { lines, isWhole } of linesOf(file, length)) {
    yield lines.map((bytes): Piece => {
      number++;
      const from = at;
      at += bytes.length + (isWhole ? 1 : 0);
      const json = isWhole ? checked(bytes) : undefined;
      return json
        ? { kind: 'record', at: from, line: number, json, end: at }
        : { kind: 'damage', at: from, line: number, bytes, records: recordsIn(bytes) };
    });
  }
}

/** The number of a record, without reading all of it. */
export function seqOf(json: Buffer): number {
  return Number(json.subarray(RECORD_START.length - 1, json.indexOf(COMMA)).toString('latin1'));
}

/** The event of a record. Fails with HUB_VERSION on a name of a later version, with STORAGE_CORRUPT on anything else that is no event. */
export function eventOf(json: Buffer): StoredEvent {
  const value: unknown = JSON.parse(json.toString('utf8'));
  try {
    return parseEvent(value);
  } catch {
    const { name, seq } = Head.parse(value);
    const isKnown = name in EVENTS;
    if (!isKnown)
      fail(
        'HUB_VERSION',
        `Event ${seq} of the journal is a "${name}", which this version does not know: a newer version wrote it.`,
      );
    return fail('STORAGE_CORRUPT', `Event ${seq} of the journal, a ${name}, has not the form this version knows.`);
  }
}

const Head = z.object({ name: z.string().catch('nothing'), seq: z.number().catch(0) });

/** The JSON of a line whose checksum is right. */
function checked(line: Buffer): Buffer | undefined {
  const json = line.subarray(CHECKSUM_LENGTH);
  const isRight =
    line[CHECKSUM_LENGTH - 1] === 0x20 &&
    crc32(json) === Number.parseInt(line.subarray(0, CHECKSUM_LENGTH - 1).toString('latin1'), 16);
  return isRight ? json : undefined;
}

/** The whole record behind the beginning of these bytes, if there is one: then the newline before it was damaged. */
function recordsIn(bytes: Buffer): Buffer[] {
  for (let at = bytes.indexOf(RECORD_START, CHECKSUM_LENGTH); at >= 0; at = bytes.indexOf(RECORD_START, at + 1)) {
    const json = checked(bytes.subarray(at - CHECKSUM_LENGTH + 1));
    if (json) return [json];
  }
  return [];
}

async function* linesOf(
  file: string,
  length: number | undefined,
): AsyncGenerator<{ readonly lines: readonly Buffer[]; readonly isWhole: boolean }> {
  if (length === 0) return;
  let rest: Buffer = Buffer.alloc(0);
  const end = length === undefined ? {} : { end: length - 1 };
  for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024, ...end })) {
    let from = 0;
    const text: Buffer = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const lines: Buffer[] = [];
    for (let at = text.indexOf(NEWLINE); at >= 0; at = text.indexOf(NEWLINE, from)) {
      lines.push(text.subarray(from, at));
      from = at + 1;
    }
    rest = text.subarray(from);
    yield { lines, isWhole: true };
  }
  if (rest.length > 0) yield { lines: [rest], isWhole: false };
}
