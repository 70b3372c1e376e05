// What a hub that begins anew says of task files that tell of sessions nobody knows any more.
import { beforeEach, expect, it } from 'vitest';
import { forgottenText } from '../../core/task.ts';
import { programsIn } from '../../server/programs.ts';
import { sweepLeftovers } from '../../server/sweep.ts';
import { started } from '../core/talk-rig.ts';
import { openEach, openTasks, put, root, tasks } from '../storage/task-files-rig.ts';
import { type Engine, makeEngine } from '../support/engine.ts';

const SESSIONS = '---\nsessions:\n  - id: a-aaaa\n---\n# Told\n';

openEach();

let engine: Engine;
beforeEach(async () => {
  engine = await makeEngine();
});

/** What is said of the tasks when they were looked through; something may happen as soon as that has begun. */
async function saidOf(happens: () => Promise<unknown> = async () => {}, isNew = true): Promise<readonly string[]> {
  // what was looked at before is remembered for a moment
  await openTasks();
  const lines: string[] = [];
  await sweepLeftovers({
    ledger: engine.ledger,
    workspace: root,
    programs: programsIn(root),
    log: (line) => lines.push(line),
    tasks: {
      ...tasks,
      async ids() {
        await happens();
        return tasks.ids();
      },
    },
    environments: { forget: async () => {} },
    keptBefore: Promise.resolve([]),
    isNew,
    signal: new AbortController().signal,
  });
  return lines;
}

it('each task file is counted whose sessions nobody knows', async () => {
  await put('.tasks/none.md');
  expect(await saidOf()).toEqual([]);
  await put('.tasks/one.md', SESSIONS);
  expect(await saidOf()).toEqual([forgottenText(1)]);
  await put('.tasks/two.md', SESSIONS);
  expect(await saidOf()).toEqual([forgottenText(2)]);
});

it('one whose session started meanwhile is not', async () => {
  const start = async () => {
    const id = await started(engine);
    await put(`.tasks/${engine.orchestrator.get(id).taskId}.md`, SESSIONS);
  };
  expect(await saidOf(start)).toEqual([]);
  await put('.tasks/old.md', SESSIONS);
  expect(await saidOf(start)).toEqual([forgottenText(1)]);
});

it('nothing is said by a hub that goes on with what one before it wrote down', async () => {
  await put('.tasks/one.md', SESSIONS);
  expect(await saidOf(undefined, false)).toEqual([]);
});
