// Who of those that wait is started first.
import { expect, it } from 'vitest';
import { Priority } from '../../core/priority.ts';
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
