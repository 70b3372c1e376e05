// Starts by a prompt alone make a task file in the user's folder, over real files: one for each request, whatever is killed under it, and none for
// what is refused.
import { appendFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { fail } from '../../core/errors.ts';
import type { TaskStore } from '../../core/ports.ts';
import type { StartRequest } from '../../core/start.ts';
import { openEach, root, tasks } from '../storage/task-files-rig.ts';
import { caller, type Engine, makeEngine } from '../support/engine.ts';
import { reborn } from './talk-rig.ts';

const ALONE: StartRequest = { prompt: 'Look around.\nThen stop.', type: 'autonomous', queue: true };
const KEYED = { ...ALONE, requestKey: 'k' };
const start = (engine: Engine, request: StartRequest) => engine.orchestrator.start(request, caller);
const full = () => fail('STORAGE_FAILED', 'Broken.');
const files = () => readdir(join(root, '.tasks', 'current')).catch(() => []);

openEach();

describe('a hub that is killed between the task file and its session', () => {
  let killed: Engine;

  beforeEach(async () => {
    let isMade = false;
    const create: TaskStore['create'] = async (draft) => {
      await tasks.create(draft);
      isMade = true;
      return new Promise(() => {});
    };
    killed = await makeEngine({ tasks: { ...tasks, create } });
    void start(killed, KEYED);
    await expect.poll(() => isMade).toBe(true);
    expect(await files()).toHaveLength(1);
  });

  it('leaves a file that the same call, sent again, takes for its session', async () => {
    const [file = ''] = await files();
    const next = await reborn(killed, { tasks });
    const { session } = await start(next, KEYED);
    expect(`${session.taskId}.task.md`).toBe(file);
    expect(await files()).toEqual([file]);
    const other = await start(next, { ...KEYED, requestKey: 'k2' });
    expect(other.session.taskId).not.toBe(session.taskId);
  });

  it('leaves one that goes when the call is refused by the next hub, unless somebody has written into it', async () => {
    const [file = ''] = await files();
    const broken = { tasks, refuse: full };
    await expect(start(await reborn(killed, broken), KEYED)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect(await files()).toEqual([]);
    await start(await reborn(killed, { tasks }), KEYED);
    await appendFile(join(root, '.tasks', 'current', file), 'A note of mine.\n');
    await expect(start(await reborn(killed, broken), KEYED)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect(await files()).toEqual([file]);
  });
});

describe('a start that is refused late', () => {
  it('leaves no task file where others took the last places meanwhile', async () => {
    const engine = await makeEngine({ tasks, config: { resources: { maxConcurrentSessions: 1, maxQueueSize: 1 } } });
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => start(engine, ALONE)));
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []));
    expect(refused).toEqual(['QUEUE_FULL', 'QUEUE_FULL', 'QUEUE_FULL']);
    const left = [...engine.ledger.sessions()].map(({ taskId }) => `${taskId}.task.md`);
    expect((await files()).toSorted()).toEqual(left.toSorted());
    expect((await tasks.ids()).length).toBe(2);
  });
});
