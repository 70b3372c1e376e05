// A task file in a folder of its own and a projector that follows a ledger in memory, made before each test.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { createTaskFiles } from '../../storage/task-files.ts';
import { createTaskProjector, type ProjectionProblem, type TaskProjector } from '../../storage/task-projector.ts';
import { readBack } from '../../storage/task-splice.ts';
import { type MemoryLedger, memoryLedger } from './memory-ledger.ts';

export let root = '';
export let file = '';
export let problems: ProjectionProblem[] = [];
export let projector: TaskProjector;
export let ledger: MemoryLedger;

export const TEXT = '# Fix the login\n\n---\ntype: bug # why\n---\n\n## Log\n- mine\n';

/** Makes them before each test of the file that calls this. */
export function projectEach(): void {
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'sc-projector-'));
    file = join(root, '.tasks/current/fix-login.task.md');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, TEXT, { mode: 0o640 });
    problems = [];
    ledger = memoryLedger();
    projector = await follow();
  });
  afterEach(async () => {
    await projector.close();
    await rm(root, { recursive: true, force: true });
  });
}

/** A projector of the next hub, which the test closes. */
export async function follow(
  lateLooksMs: readonly number[] = [0],
  rests: { readonly restMs?: number; readonly mostRestMs?: number } = {},
): Promise<TaskProjector> {
  const taskFiles = await createTaskFiles({ workspace: root });
  return createTaskProjector({ ledger, taskFiles, onProblem: (problem) => problems.push(problem), lateLooksMs, ...rests });
}

export const text = () => readFile(file, 'utf8');
/** What the task file says of each session. */
export const told = async () => readBack(await text()).map(({ id, status }) => [id, status]);

/** Closes the projector and lets another one follow, as the next hub does. */
export async function followAgain(...how: Parameters<typeof follow>): Promise<void> {
  projector = await follow(...how);
}
