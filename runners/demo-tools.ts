// The tools of the built-in agent, which really do what they are asked: Bash and Write.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';

export interface ToolOutcome {
  readonly text: string;
  readonly isError: boolean;
}

const BashInput = z.object({ command: z.string() });
const WriteInput = z.object({ file_path: z.string(), content: z.string() });

let command: ChildProcess | undefined;

/** Uses the tool and tells what came of it. */
export async function useTool(name: string, input: unknown): Promise<ToolOutcome> {
  const bash = BashInput.safeParse(input);
  if (name === 'Bash' && bash.success) return run(bash.data.command);
  const write = WriteInput.safeParse(input);
  if (name !== 'Write' || !write.success) return { text: `There is no tool ${name} with this input.`, isError: true };
  const file = path.resolve(write.data.file_path);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, write.data.content);
  return { text: `Wrote ${file}.`, isError: false };
}

/** Ends the command that is running, if one is. */
export function endTool(): void {
  try {
    if (command?.pid !== undefined) process.kill(-command.pid, 'SIGKILL');
  } catch {
    // its group ended in this moment
  }
}

/** In a process group and session of its own, as Claude Code does it. */
function run(line: string): Promise<ToolOutcome> {
  return new Promise((resolve) => {
    command = spawn('/bin/sh', ['-c', line], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    const take = (chunk: Buffer) => {
      text += chunk.toString();
    };
    command.stdout?.on('data', take);
    command.stderr?.on('data', take);
    command.once('close', (code) => {
      command = undefined;
      resolve({ text: text.trimEnd(), isError: code !== 0 });
    });
  });
}
