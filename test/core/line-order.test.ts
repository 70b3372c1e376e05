// Who of those that wait is started first, and is shown so.
import { expect, it } from 'vitest';
import { lineText, lineView } from '../../core/line-view.ts';
import { Priority } from '../../core/priority.ts';
import { queuePause } from '../../tools/queue-pause.ts';
import { sessionStart } from '../../tools/session-start.ts';
import { callTool } from '../support/call-tool.ts';
import { caller, makeEngine } from '../support/engine.ts';

const process = { pid: 4242, startedAt: '99' };

it.each([
  [true, ['high 1', 'high 2', 'medium', 'low']],
  [false, ['low', 'high 1', 'medium', 'high 2']],
])('by priority, then by age; where priorities are off (%s) by age alone', async (enablePriorities, expected) => {
  const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 }, queue: { enablePriorities } } });
  for (const label of ['first', 'low', 'high 1', 'medium', 'high 2']) {
    engine.clock.advance(1000);
    const priority = Priority.catch('medium').parse(label.split(' ')[0]);
    await engine.orchestrator.start({ prompt: label, label, priority, type: 'autonomous', queue: true }, caller);
  }
  const started: (string | undefined)[] = [];
  for (let at = 0; at <= expected.length; at++) {
    await engine.settle();
    const [active] = engine.orchestrator.list({ status: 'starting' });
    started.push(active?.label);
    engine.run(active?.id ?? '').say({ kind: 'started', process });
    engine.run(active?.id ?? '').end(0);
  }
  expect(started).toEqual(['first', ...expected]);
});

it('is behind none whose time has not come, and is shown and moved before those', async () => {
  const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 } } });
  const start = async (prompt: string, afterMs?: number) => {
    const notBefore = afterMs === undefined ? undefined : new Date(engine.clock.now() + afterMs).toISOString();
    const { session } = await engine.orchestrator.start({ prompt, notBefore, type: 'autonomous', queue: true }, caller);
    await engine.settle();
    return session.id;
  };
  const view = (id: string) => engine.orchestrator.detailed(engine.orchestrator.get(id));
  await start('first');
  const [later, late] = [await start('later', 120_000), await start('late', 60_000)];
  const [a, b] = [await start('a'), await start('b')];
  const places = () => [a, b, late, later].map((id) => view(id).position);
  expect(places()).toEqual([1, 2, 3, 4]);
  expect(view(a).reason).toBe('waits for a slot: 1 of 1 taken');
  expect(view(b).reason).toBe('waits for a slot: 1 of 1 taken and 1 ahead of it');
  const shown = lineView(engine.orchestrator).line.map(({ id, position }) => [id, position]);
  expect(shown).toEqual([a, b, late, later].map((id, at) => [id, at + 1]));
  await engine.orchestrator.move(b, { place: 1 }, 'me');
  expect(places()).toEqual([2, 1, 3, 4]);
  engine.clock.advance(60_000);
  expect(places()).toEqual([3, 1, 2, 4]);
});

it('tells why it is paused, to the next hub too, and no more when it goes on', async () => {
  const engine = await makeEngine();
  await engine.orchestrator.pause({ by: 'me', reason: 'The build\nis broken.\u001b[2J' });
  engine.kill();
  const next = await makeEngine({ events: engine.events });
  const view = lineView(next.orchestrator);
  expect(view).toMatchObject({ isPaused: true, pauseReason: 'The build\nis broken.' });
  expect(lineText(view)).toContain('; the line is paused ("The build is broken.").');
  const again = await callTool(next, queuePause, {});
  expect(again).toMatchObject({
    pauseReason: 'The build\nis broken.',
    summary: expect.stringMatching(/^The line is paused \("The build is broken\."\), 0 /),
  });
  await expect(callTool(next, sessionStart, { prompt: 'now', queue: false })).rejects.toMatchObject({
    code: 'NO_SLOT',
    message: 'It cannot start now: it waits while the line is paused.',
  });
  await next.orchestrator.resume('me');
  expect(lineView(next.orchestrator)).toMatchObject({ isPaused: false, pauseReason: undefined });
  await next.orchestrator.pause({ by: 'me' });
  expect(lineText(lineView(next.orchestrator))).toContain('; the line is paused.');
});

it('told to start now or not at all, says what is in the way', async () => {
  const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 } } });
  const refused = (args: object) =>
    callTool(engine, sessionStart, { prompt: 'now', queue: false, ...args }).then(
      () => 'started',
      (error: unknown) => (error instanceof Error ? error.message : ''),
    );
  const notBefore = new Date(engine.clock.now() + 60_000).toISOString();
  expect(await refused({ notBefore })).toBe(`It cannot start now: it waits until ${notBefore}.`);
  await callTool(engine, sessionStart, { prompt: 'first' });
  expect(await refused({})).toBe('All 1 slots are taken.');
});
