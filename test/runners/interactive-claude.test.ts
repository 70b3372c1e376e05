import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processesLeft } from '../support/processes.ts';
import { type ClaudeRig, listen, message, openClaudeRig } from './interactive-rig.ts';

let rig: ClaudeRig;
beforeAll(async () => {
  rig = await openClaudeRig();
});
afterAll(() => rig.close());

describe('an interactive run of Claude Code', () => {
  it('gets its first prompt, and then each further one whole and as words', async () => {
    const run = await rig.runner.start(rig.claude('first', [message(1, 'hello there')]));
    const seen = listen(run);
    expect(await seen.outcome(1)).toBe('received');
    await seen.event('idle', (event) => event.for === 'prompt');
    const texts = [
      Array.from({ length: 1024 }, (_, at) => `${at} ${'x'.repeat(60)}`).join('\n'),
      `C-c ; Enter $(id) \`id\` "quotes" 'too' #{pane_id} %H {id} \u{1F600} \u001b[201~; touch ${rig.root}/ran\u0007`,
      '!touch ran\nsecond line\n\n\tthird \\',
    ];
    for (const [at, text] of texts.entries()) await run.tell(message(at + 2, text));
    for (const at of texts.keys()) expect(await seen.outcome(at + 2), texts[at]?.slice(0, 80)).toBe('received');
    await run.stop({ kind: 'cancelled' });
    await seen.over;
    expect(rig.sessions()).toEqual([]);
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  }, 90_000);
});
