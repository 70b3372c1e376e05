// The Inspector's command line against the product's door on stdio, and against the suite's own server over HTTP.
import { DOOR } from '../support/project.ts';
import { runProgram } from '../support/run-program.ts';
import { makeWorkspace } from '../support/workspace.ts';
import type { Programs } from './programs.ts';

export const ERAS = ['modern', 'legacy'] as const;
const TIMEOUT_MS = 120_000;

export type Count = (what: string, problem: string | undefined) => void;

/** tools/list --strict, a call, a resource and a prompt, in both eras. */
export async function inspectDoor(programs: Programs, count: Count): Promise<void> {
  const workspace = await makeWorkspace({
    tasks: { 'one.task.md': '# One\n\n---\ntype: test\nstatus: todo\narea: test\n---\n' },
  });
  try {
    for (const era of ERAS) {
      const ask = (...words: string[]) =>
        inspected(programs, [
          ...words,
          '--protocol-era',
          era,
          '--cwd',
          workspace.path,
          ...variables(workspace.env),
          '-q',
          process.execPath,
          DOOR,
        ]);
      count(`inspector ${era} tools/list --strict`, await ask('--method', 'tools/list', '--strict').then(wants('"session_run"')));
      const call = ['--method', 'tools/call', '--tool-name', 'task_list'];
      count(`inspector ${era} tools/call`, await ask(...call).then(wants('1 of 1 task', 'one.task.md')));
      const read = ['--method', 'resources/read', '--uri', 'queue://status'];
      count(`inspector ${era} resources/read`, await ask(...read).then(wants('slots')));
      const prompt = ['--method', 'prompts/get', '--prompt-name', 'start_task', '--prompt-args', 'taskId=one'];
      count(`inspector ${era} prompts/get`, await ask(...prompt).then(wants('session_', 'one')));
    }
  } finally {
    await workspace.close();
  }
}

/** A prompt over HTTP, in both eras. */
export async function inspectPrompts(programs: Programs, url: string, count: Count): Promise<void> {
  for (const era of ERAS) {
    const get = ['--method', 'prompts/get', '--prompt-name', 'test_simple_prompt', '--protocol-era', era, '-q', url];
    count(
      `inspector ${era} prompts/get over HTTP`,
      await inspected(programs, get).then(wants('This is a simple prompt for testing.')),
    );
  }
}

interface Inspected {
  readonly code: number | null;
  readonly output: string;
}

async function inspected({ node, inspector, env }: Programs, words: readonly string[]): Promise<Inspected> {
  const run = await runProgram(node, [inspector, '--cli', '--format', 'json', ...words], {
    env,
    cwd: env.HOME ?? '/',
    timeoutMs: TIMEOUT_MS,
  });
  return { code: run.code, output: `${run.stdout}${run.stderr}` };
}

/** What is wrong with an answer that must hold these words; undefined when nothing is. */
function wants(...words: readonly string[]) {
  return ({ code, output }: Inspected): string | undefined => {
    const missing = words.filter((word) => !output.includes(word));
    return code === 0 && missing.length === 0
      ? undefined
      : `exit ${code}, without ${missing.join(' ') || 'nothing'}\n${output.slice(0, 4000)}`;
  };
}

function variables(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
}
