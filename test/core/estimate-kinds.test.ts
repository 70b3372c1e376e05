// An estimate is made from sessions that are alike: of the same agent and type of task, else of the same agent, else of all.
import { expect, it } from 'vitest';
import type { Task } from '../../core/task.ts';
import { caller, makeEngine } from '../support/engine.ts';

const SECOND = 1000;
const tasks = ['bug', 'chore', 'idea'].map(
  (type): Task => ({ id: type, file: `/w/.tasks/${type}.task.md`, title: type, fields: { type }, body: `Do the ${type}.` }),
);
const get = async (id: string) => tasks.find((task) => task.id === id);

it('the time a session may start is told by how long those like the one before it took', async () => {
  const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 } }, tasks: { get } });
  const start = async (taskId: string, agent: string) => {
    const request = { type: 'autonomous', queue: true, concurrent: true, taskId, agent } as const;
    const { session } = await engine.orchestrator.start(request, caller);
    await engine.settle();
    return session.id;
  };
  const begin = async (taskId: string, agent: string) => {
    const id = await start(taskId, agent);
    engine.run(id).say({ kind: 'started', process: { pid: 4242, startedAt: '99' } });
    await engine.settle();
    return id;
  };
  const cancel = async (id: string) => {
    await engine.orchestrator.cancel(id, { by: 'me' });
    if (engine.orchestrator.get(id).status === 'stopping') engine.run(id).end(143);
    await engine.settle();
  };
  /** Seconds until the one may start that stands behind a session of that kind, which has just begun. */
  const behind = async (taskId: string, agent: string) => {
    const first = await begin(taskId, agent);
    const second = await start('bug', 'demo');
    const at = engine.orchestrator.detailed(engine.orchestrator.get(second)).estimatedStart;
    for (const id of [second, first]) await cancel(id);
    return at === undefined ? undefined : (Date.parse(at) - engine.clock.now()) / SECOND;
  };

  const took = [
    ['bug', 'demo', 100],
    ['bug', 'demo', 100],
    ['bug', 'demo', 100],
    ['chore', 'demo', 20],
    ['chore', 'plain', 7],
  ] as const;
  for (const [taskId, agent, seconds] of took) {
    const id = await begin(taskId, agent);
    engine.clock.advance(seconds * SECOND);
    engine.run(id).end(0);
    await engine.settle();
  }
  expect(await behind('bug', 'demo')).toBe(100);
  expect(await behind('chore', 'demo')).toBe(20);
  expect(await behind('chore', 'plain')).toBe(7);
  // nothing is known of its type: all of its agent tell
  expect(await behind('idea', 'demo')).toBe(100);
  expect(await behind('bug', 'plain')).toBe(7);
  // nor of its agent
  expect(await behind('bug', 'claude')).toBe(100);
});
