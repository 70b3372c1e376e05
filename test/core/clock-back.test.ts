// The machine's clock is set back: limits of time hold all the same, and nothing took less than no time.
import { expect, it } from 'vitest';
import { caller, type Engine, makeEngine } from '../support/engine.ts';
import { fakeClock } from '../support/fake-clock.ts';

const HOUR = 3_600_000;
const request = { taskId: 'fix-login', type: 'autonomous', queue: true } as const;

async function start(engine: Engine, more: object = {}): Promise<string> {
  const { session } = await engine.orchestrator.start({ ...request, ...more }, caller);
  await engine.settle();
  return session.id;
}
async function running(engine: Engine, more: object = {}): Promise<string> {
  const id = await start(engine, more);
  engine.run(id).say({ kind: 'started', process: { pid: 4242, startedAt: '99' } });
  await engine.settle();
  return id;
}

it.each([
  ['while it waits', false],
  ['before the hub that goes on', true],
])('the longest wait in the line is over when it is over, when that was %s', async (_when, isNext) => {
  const config = { queue: { timeoutMs: 5000 }, resources: { maxConcurrentSessions: 1 } };
  const clock = fakeClock();
  const first = await makeEngine({ config, clock });
  await running(first);
  const id = await start(first, { taskId: 'other' });
  clock.advance(2000);
  clock.setBack(HOUR);
  const engine = isNext ? await makeEngine({ config, clock, events: first.events }) : first;
  await engine.settle();
  clock.advance(4000);
  await engine.settle();
  expect(engine.orchestrator.get(id).status).toBe('queued');
  clock.advance(4000);
  await engine.settle();
  expect(engine.orchestrator.get(id)).toMatchObject({ status: 'failed', cause: { kind: 'queue_timeout' } });
});

it('a run that the next hub takes up has no longer than it ever had, and took no less than no time', async () => {
  const clock = fakeClock();
  const first = await makeEngine({ clock });
  const id = await running(first, { timeoutSeconds: 60 });
  clock.setBack(HOUR);
  const engine = await makeEngine({ clock, events: first.events });
  await engine.settle();
  expect(engine.orchestrator.view(engine.orchestrator.get(id)).durationMs).toBe(0);
  clock.advance(59_000);
  await engine.settle();
  expect(engine.orchestrator.get(id).status).toBe('running');
  clock.advance(2000);
  await engine.settle();
  expect(engine.orchestrator.get(id)).toMatchObject({ status: 'stopping', stop: { kind: 'timeout' } });
});
