// Session hooks where the hub does not answer as it should: what cannot be told is reported, and tried again after a rest.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { followSessions } from '../../client/session-hooks.ts';
import { ScopecraftError } from '../../core/errors.ts';

it('report once what keeps a session from being read, and rest before they try again', async () => {
  const problems: unknown[] = [];
  let looks = 0;
  let wake = (_uri: string) => {};
  const closing = new AbortController();
  const event = { seq: 7, at: '2026-01-01T00:00:00.000Z', name: 'session.started', sessionId: 's', data: {} };
  const subscription = await followSessions(
    {
      eventList: async ({ after } = {}) => ({
        events: after === '6' ? [event] : [],
        total: 1,
        nextCursor: after ?? '6',
        untrusted: true as const,
      }),
      sessionGet: async () => {
        looks++;
        throw new ScopecraftError('INTERNAL', 'Not now.');
      },
    },
    {
      watch: async (_uri, heard) => {
        wake = heard;
        return { close: async () => {} };
      },
      closed: closing.signal,
    },
    { onProblem: (problem) => void problems.push(problem) },
  );
  await sleep(100);
  expect([looks, problems.length]).toEqual([1, 1]);
  expect(problems).toEqual([expect.objectContaining({ message: 'Not now.' })]);
  wake('events://recent');
  await expect.poll(() => looks).toBe(2);
  expect(subscription.cursor).toBe('6');
  await subscription.close();
});
