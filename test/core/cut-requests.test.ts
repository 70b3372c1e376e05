// What sessions ask keeps to its room in an answer, whatever is in it.
import { expect, it } from 'vitest';
import { cutRequest, withCutRequests } from '../../core/cut-requests.ts';
import type { RequestView } from '../../core/talk-views.ts';

const asked = (at: number, text: string): RequestView => ({
  requestId: `session-abcd.${at}`,
  kind: 'permission',
  text,
  tool: 'Bash',
  input: JSON.stringify({ command: text }),
  askedAt: '2026-01-02T03:04:05.000Z',
});
const sizeOf = (value: unknown) => JSON.stringify(value).length;

it.each([
  ['plain', 'x'.repeat(4000)],
  ['full of what JSON escapes', '"\\\n\u0001'.repeat(1000)],
  ['of many bytes', '😀'.repeat(2000)],
])('where texts are %s', (_what, text) => {
  const view = {
    requests: Array.from({ length: 8 }, (_, at) => asked(at, text)),
    answered: Array.from({ length: 5 }, (_, at) => asked(at + 8, text)),
  };
  const cut = withCutRequests(view, 8000);
  expect(sizeOf(cut)).toBeLessThan(9000);
  expect(cut.requests?.map(({ requestId }) => requestId)).toEqual(view.requests.map(({ requestId }) => requestId));
  expect(cut.requests?.[0]?.text).toMatch(/… \(\d{4} characters\)$/);
});

it('leaves what fits as it is, and says of what it cuts how long it was', () => {
  const short = asked(1, 'May I?');
  expect(withCutRequests({ requests: [short] }, 8000)).toEqual({ requests: [short] });
  expect(cutRequest(asked(1, 'y'.repeat(500)), 100).text).toBe(`${'y'.repeat(80)}… (500 characters)`);
});
