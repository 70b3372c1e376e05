// Lines out of streams: the handshake reads one at a time, the door all of them.
import type { Duplex } from 'node:stream';

/** Longest message from a client: more than any call may have. */
export const MAX_CALL_BYTES = 4 * 1024 * 1024;

const NEWLINE = 0x0a;

/** So much of a line that is given up is remembered, at its beginning and at its end. */
const EDGE_BYTES = 256;

/** Takes chunks and calls back with each complete line. A line over the limit is given up: `onTooLong` is called once and the rest skipped;
 * `onSkipped` gets what stood at its beginning and at its end, once that has come. */
export function lineSplitter(
  limitBytes: number,
  onLine: (line: string) => void,
  onTooLong: () => void,
  onSkipped: (beginning: string, end: string) => void = () => {},
): (chunk: Buffer) => void {
  let parts: Buffer[] = [];
  let held = 0;
  let isSkipping = false;
  let beginning = '';
  let tail = Buffer.alloc(0);
  const keep = (part: Buffer) => {
    if (isSkipping) {
      tail = Buffer.concat([tail, part.subarray(-EDGE_BYTES)]).subarray(-EDGE_BYTES);
      return;
    }
    parts.push(part);
    held += part.length;
    if (held <= limitBytes) return;
    const line = Buffer.concat(parts);
    beginning = line.toString('utf8', 0, EDGE_BYTES);
    tail = Buffer.from(line.subarray(-EDGE_BYTES));
    [parts, held, isSkipping] = [[], 0, true];
    onTooLong();
  };
  return (chunk) => {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      keep(chunk.subarray(from, end));
      from = end + 1;
      if (isSkipping) onSkipped(beginning, tail.toString('utf8').replace(/\r$/, ''));
      const line = isSkipping ? '' : Buffer.concat(parts).toString('utf8').replace(/\r$/, '');
      [parts, held, isSkipping] = [[], 0, false];
      if (line !== '') onLine(line);
    }
    if (from < chunk.length) keep(chunk.subarray(from));
  };
}

/** The next line of a stream that nobody else reads; what follows it stays in the stream. Rejects when it ends, is too long or too late. */
export function readLine(stream: Duplex, limits: { readonly bytes: number; readonly ms: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let held = 0;
    const done = (deed: () => void) => {
      clearTimeout(timer);
      stream.off('readable', take);
      stream.off('close', gone);
      stream.off('end', gone);
      deed();
    };
    const gone = () => done(() => reject(new Error('The other side closed the connection.')));
    const take = () => {
      for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) {
        const end = chunk.indexOf(NEWLINE);
        parts.push(end === -1 ? chunk : chunk.subarray(0, end));
        held += chunk.length;
        if (end === -1 && held > limits.bytes)
          return done(() => reject(new Error(`A line is longer than ${limits.bytes} bytes.`)));
        if (end === -1) continue;
        const rest = chunk.subarray(end + 1);
        return done(() => {
          if (rest.length > 0) stream.unshift(rest);
          resolve(Buffer.concat(parts).toString('utf8'));
        });
      }
    };
    const timer = setTimeout(() => done(() => reject(new Error(`Nothing was said within ${limits.ms} ms.`))), limits.ms);
    stream.on('readable', take);
    stream.on('close', gone);
    stream.on('end', gone);
    if (stream.destroyed || stream.readableEnded) gone();
    else take();
  });
}
