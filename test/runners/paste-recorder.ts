// A program for a terminal that writes down which pastes it gets, byte for byte, and what is typed beside them.
import { readFile } from 'node:fs/promises';

/** Records each paste it gets as a line of hex, and behind it what came outside of one before it. */
const RECORDER = `
const { appendFileSync } = require('node:fs');
const hex = (text) => Buffer.from(text, 'latin1').toString('hex');
process.stdin.setRawMode(true);
process.stdout.write('\\x1b[?2004hready');
let bytes = '';
process.stdin.on('data', (chunk) => {
  bytes += chunk.toString('latin1');
  for (let enter; (enter = /\\x1b\\[200~([^]*?)\\x1b\\[201~\\r/.exec(bytes)); ) {
    appendFileSync(process.argv[1], hex(enter[1]) + ' ' + hex(bytes.slice(0, enter.index)) + '\\n');
    bytes = bytes.slice(enter.index + enter[0].length);
  }
});`;

/** Program and arguments of an agent that records into that file, which must be there. */
export const recorder = (file: string) => [process.execPath, '-e', RECORDER, file] as const;

export interface Recorded {
  readonly pasted: string;
  /** What came before it, outside of any paste. */
  readonly before: string;
}

/** What it recorded so far. */
export async function recordedIn(file: string): Promise<Recorded[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1);
  return lines.map((line) => {
    const [pasted = '', before = ''] = line.split(' ').map((hex) => Buffer.from(hex, 'hex').toString());
    return { pasted, before };
  });
}
