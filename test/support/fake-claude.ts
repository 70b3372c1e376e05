// A program named `claude` that answers as Claude Code does in print mode and writes down how it was called; it thinks nothing.
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

export interface FakeClaude {
  /** Folder for the front of PATH. */
  readonly bin: string;
  /** Arguments and prompt of each call so far. */
  calls(): Promise<readonly { readonly args: readonly string[]; readonly prompt: string }[]>;
}

const Call = z.object({ args: z.array(z.string()), prompt: z.string() });

/** Puts it into `<folder>/bin`. Each conversation id it gives is `conversation-<number of the call>`. */
export async function makeFakeClaude(folder: string): Promise<FakeClaude> {
  const bin = path.join(folder, 'bin');
  const log = path.join(folder, 'calls');
  await mkdir(bin, { recursive: true });
  await writeFile(log, '');
  const program = path.join(folder, 'claude.cjs');
  await writeFile(program, programWith(log));
  // the question for its version comes before each call, and needs no Node.js
  const shell = `#!/bin/sh\n[ "$1" = --version ] && exec echo '1.0.0 (fake)'\nexec '${process.execPath}' '${program}' "$@"\n`;
  await writeFile(path.join(bin, 'claude'), shell);
  await chmod(path.join(bin, 'claude'), 0o755);
  return {
    bin,
    async calls() {
      const lines = (await readFile(log, 'utf8')).split('\n').filter(Boolean);
      return lines.map((line) => Call.parse(JSON.parse(line)));
    },
  };
}

function programWith(log: string): string {
  return `const fs = require('node:fs');
const args = process.argv.slice(2);
const prompt = fs.readFileSync(0, 'utf8');
fs.appendFileSync(${JSON.stringify(log)}, JSON.stringify({ args, prompt }) + '\\n');
const number = fs.readFileSync(${JSON.stringify(log)}, 'utf8').trim().split('\\n').length;
if (args.includes('stream-json')) {
  let told = 0;
  const timer = setInterval(() => {
    if (told++ < 5) process.stdout.write('part ' + told + ' ');
    else clearInterval(timer);
  }, 30);
} else {
  console.log(JSON.stringify({ type: 'result', session_id: 'conversation-' + number, result: 'You said: ' + prompt }));
}
`;
}
