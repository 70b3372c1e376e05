// Attaching this terminal to that of an interactive session: the tmux client has it until the person leaves.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';

const Answer = z.looseObject({ words: z.tuple([z.string()], z.string()) });

/** True when a person sits at both ends of this program. */
export function isAtTerminal(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** Runs the command that session_attach answered with in this terminal, to its end. Answers its exit code. */
export async function attach(answer: Readonly<Record<string, unknown>>): Promise<number> {
  const [program, ...args] = Answer.parse(answer).words;
  const client = spawn(program, args, { stdio: 'inherit' });
  // the terminal is given back by the client alone
  const end = () => void client.kill('SIGTERM');
  process.once('SIGTERM', end);
  try {
    const [code]: unknown[] = await once(client, 'close');
    return typeof code === 'number' ? code : 1;
  } finally {
    process.removeListener('SIGTERM', end);
  }
}
