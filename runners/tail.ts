// Reads a growing file line by line from a byte offset. Only `\n` ends a line: U+2028 and the like are text.
// Not awaited: what was just written lies in memory, and a pass through other threads would take ten times as long.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { errnoOf } from './process.ts';

export interface Line {
  /** Without its line end; cut with a marker when longer than 1 MB. */
  readonly text: string;
  /** Byte offset of its first byte, and of the first byte behind its line end. */
  readonly start: number;
  readonly end: number;
}

export interface Tail {
  /** The lines that are complete now, at most about 256 kB at a time. Empty when there are none; then the last one is kept back. */
  read(): readonly Line[];
  /** True when the last read left off in the middle of a very long line. */
  readonly isBehind: boolean;
  /** The last line without its end, once the writer is gone; undefined when the file ends with a line end. */
  rest(): Line | undefined;
  /** How many bytes were read, counted from the start of the file. */
  readonly offset: number;
  close(): void;
}

const CHUNK_BYTES = 256 * 1024;
const LONGEST_BYTES = 1024 * 1024;
/** So much of one line is read without giving way. */
const MOST_AT_ONCE_BYTES = 4 * 1024 * 1024;

/** Opens the file when it is there; until then it counts as empty. */
export function openTail(file: string, from = 0): Tail {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let fd: number | undefined;
  let offset = from;
  let isBehind = false;
  let partial = startLine(from);

  return {
    read() {
      fd ??= openIfThere(file);
      isBehind = false;
      if (fd === undefined) return [];
      for (const most = offset + MOST_AT_ONCE_BYTES; offset < most; ) {
        const bytesRead = readSync(fd, buffer, 0, CHUNK_BYTES, offset);
        if (bytesRead === 0) {
          if (offset === 0 || fstatSync(fd).size >= offset) return [];
          // it was cut short: reading begins anew
          offset = 0;
          partial = startLine(0);
          continue;
        }
        const lines: Line[] = [];
        let at = 0;
        for (let end = newline(at, bytesRead); end >= 0; end = newline(at, bytesRead)) {
          partial.add(buffer.subarray(at, end));
          lines.push(partial.finish(offset + end + 1));
          at = end + 1;
          partial = startLine(offset + at);
        }
        partial.add(buffer.subarray(at, bytesRead));
        offset += bytesRead;
        if (lines.length > 0) return lines;
      }
      isBehind = true;
      return [];
    },
    get isBehind() {
      return isBehind;
    },
    rest() {
      if (offset === partial.start) return undefined;
      const line = partial.finish(offset);
      partial = startLine(offset);
      return line;
    },
    get offset() {
      return offset;
    },
    close() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };

  function newline(at: number, length: number): number {
    const found = buffer.indexOf(10, at);
    return found < length ? found : -1;
  }
}

/** A line being put together from pieces; no more than the longest is kept. */
function startLine(start: number) {
  const decoder = new StringDecoder('utf8');
  let text = '';
  let bytes = 0;
  return {
    start,
    add(piece: Buffer): void {
      if (bytes < LONGEST_BYTES) text += decoder.write(piece.subarray(0, LONGEST_BYTES - bytes));
      bytes += piece.length;
    },
    finish(end: number): Line {
      const cut = bytes > LONGEST_BYTES ? ` … [cut: the line has ${bytes} bytes]` : decoder.end();
      return { text: text + cut, start, end };
    },
  };
}

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
