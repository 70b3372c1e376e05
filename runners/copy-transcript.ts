// Copies an agent's transcript, byte for byte and as far as it belongs to this run, to `out` in the run folder, which is the run's log.
//
// Claude Code goes on in the same file when a conversation is resumed, and begins another one when a person clears it. So a run has one or
// more parts: which file, from which byte, and where in `out` it begins. They are in the file `parts`, one JSON line each, and what is
// left to copy follows from the size of `out`. So a copier that was killed is followed by one that goes on at the right byte.
import { closeSync, openSync, readSync } from 'node:fs';
import { appendFile, open, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { jsonOf } from './json-line.ts';
import { errnoOf } from './process.ts';

const Part = z.object({ file: z.string(), from: z.number().int(), at: z.number().int() });
type Part = z.infer<typeof Part>;

export interface Copier {
  /** Told of each conversation that begins, in order. `isNew`: its file is of this run from the first byte. */
  begins(file: string, isNew: boolean, since: number): void;
  /** Copies what is there; answers whether it copied anything. */
  copy(): Promise<boolean>;
}

const CHUNK_BYTES = 256 * 1024;
/** How long a file that was left may still grow. */
const LATE_MS = 500;

export async function openCopier(folder: string, elapsed: () => number): Promise<Copier> {
  const out = path.join(folder, 'out');
  const list = path.join(folder, 'parts');
  const parts = await readParts(list);
  const begun: { file: string; isNew: boolean; since: number; at: number }[] = [];
  let copied = await sizeOf(out);
  let current = -1;

  async function partAt(index: number): Promise<Part | undefined> {
    const known = parts[index];
    const want = begun[index];
    if (known || !want) return known;
    const from = want.isNew ? 0 : firstSince(want.file, want.since);
    if (from === undefined) return undefined;
    const part = { file: want.file, from, at: copied };
    // a line that was torn, by a full disk or a kill, is ended by the line end before the next one
    await appendFile(list, `\n${JSON.stringify(part)}\n`, { mode: 0o600 });
    parts[index] = part;
    return part;
  }

  async function copyPart({ file, from, at }: Part): Promise<boolean> {
    const handle = await openIfThere(file);
    if (!handle) return false;
    try {
      const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
      const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, from + copied - at);
      if (bytesRead > 0) await appendFile(out, buffer.subarray(0, bytesRead), { mode: 0o600 });
      copied += bytesRead;
      return bytesRead > 0;
    } finally {
      await handle.close();
    }
  }

  return {
    begins(file, isNew, since) {
      if (begun.at(-1)?.file !== file) begun.push({ file, isNew, since, at: elapsed() });
    },
    async copy() {
      if (current < 0) current = Math.max(0, parts.length - 1);
      const part = await partAt(current);
      if (part && (await copyPart(part))) return true;
      const next = begun[current + 1];
      if (!next || elapsed() - next.at < LATE_MS) return false;
      current++;
      return true;
    },
  };
}

/** The first byte of the first line that was written since then; undefined while there is none. */
function firstSince(file: string, since: number): number | undefined {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    let rest = Buffer.alloc(0);
    let at = 0;
    for (let bytes = 0; ; at += bytes) {
      bytes = readSync(handle, buffer, 0, CHUNK_BYTES, at);
      if (bytes === 0) return undefined;
      let text = Buffer.concat([rest, buffer.subarray(0, bytes)]);
      for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10)) {
        if (writtenAt(text.subarray(0, end)) >= since) return at + bytes - text.length;
        text = text.subarray(end + 1);
      }
      rest = Buffer.from(text);
    }
  } finally {
    closeSync(handle);
  }
}

/** Lines that bear no time of their own are nobody's. */
function writtenAt(line: Buffer): number {
  // not parsed: a resumed transcript may have a hundred thousand lines
  const [, time] = /"timestamp":"(\d{4}-[^"]+Z)","/.exec(line.toString('latin1')) ?? [];
  return time === undefined ? Number.NEGATIVE_INFINITY : Date.parse(time);
}

async function readParts(file: string): Promise<Part[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  });
  return text.split('\n').flatMap((line) => Part.safeParse(jsonOf(line)).data ?? []);
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}

async function openIfThere(file: string) {
  return open(file, 'r').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
}
