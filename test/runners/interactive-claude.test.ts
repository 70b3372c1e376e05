import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { factOfHook } from '../../runners/agent-record.ts';
import { readLine } from '../../runners/transcript.ts';
import { processesLeft } from '../support/processes.ts';
import { type ClaudeRig, hookedPrompts, listen, message, openClaudeRig } from './interactive-rig.ts';

let rig: ClaudeRig;
beforeAll(async () => {
  rig = await openClaudeRig();
});
afterAll(() => rig.close());

const CANCELLED = { kind: 'cancelled' } as const;
/** Claude Code makes blanks of tabs, and there are blanks around what is pasted; line ends stay. */
const plain = (text: string) => text.replace(/[\t ]+/g, ' ').trim();
const outOf = (sessionId: string, run = 1) => readFile(path.join(rig.folder(sessionId, run), 'out'));
const promptsIn = (log: Buffer) => {
  const entries = log
    .toString()
    .split('\n')
    .flatMap((line) => readLine(line, 'stream-json').entries);
  return entries.filter(({ kind }) => kind === 'prompt').map(({ text }) => plain(text));
};

async function transcriptOf(sessionId: string): Promise<Buffer> {
  const [line = ''] = (await readFile(path.join(rig.folder(sessionId), 'hooks'), 'utf8')).split('\n');
  const fact = factOfHook(line);
  if (fact?.kind !== 'begins' || fact.transcript === undefined) throw new Error('The first hook told of no transcript.');
  return readFile(fact.transcript);
}

describe('an interactive run of Claude Code', () => {
  const conversationId = crypto.randomUUID();
  const long = Array.from({ length: 1024 }, (_, at) => `${at} ${'x'.repeat(60)}`).join('\n');
  const nasty = `C-c ; Enter $(id) \`id\` "q" 'q' #{pane_id} %H {id} \u{1F600} \u001b[201~; touch ${'ran'}\u0007 ;`;
  const shell = '!touch ran\nsecond line\n\n\tthird \\';

  it('gets its first prompt, and then each further one whole and as words', async () => {
    const run = await rig.runner.start(rig.claude('words', [message(1, 'hello there')], { conversationId }));
    const seen = listen(run);
    expect(await seen.outcome(1)).toBe('received');
    await seen.rests();
    const texts = [long, nasty, shell];
    for (const [at, text] of texts.entries()) await run.tell(message(at + 2, text));
    for (const at of texts.keys()) expect(await seen.outcome(at + 2), texts[at]?.slice(0, 80)).toBe('received');
    await seen.rests();
    const wanted = [long, nasty.replace(/[\u001b\u0007]/g, ''), shell].map(plain);
    // its hook tells of a prompt before its transcript does
    await expect.poll(async () => promptsIn(await outOf('words'))).toEqual(['hello there', ...wanted]);
    await seen.rests();
    expect((await hookedPrompts(rig.folder('words')))[0]).toBe('hello there');

    await run.stop(CANCELLED);
    await seen.over;
    expect(seen.events.at(-1)).toMatchObject({ kind: 'ended', exit: { code: 143 }, result: { isError: false } });
    // tmux takes its client's session away a moment after the client
    await expect.poll(rig.sessions).toEqual([]);
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  }, 100_000);

  it('has its transcript as its log, byte for byte, and of a resumed conversation only what is new', async () => {
    const before = await transcriptOf('words');
    expect(await outOf('words')).toEqual(before);
    const run = await rig.runner.start(rig.claude('words', [message(9, 'once more')], { conversationId, resume: true, run: 2 }));
    const seen = listen(run);
    expect(await seen.outcome(9)).toBe('received');
    await seen.rests();
    rig.tmux('send-keys', '-t', '=s-words:', 'C-d');
    rig.tmux('send-keys', '-t', '=s-words:', 'C-d');
    await seen.over;
    expect(seen.events.at(-1)).toMatchObject({
      exit: { code: 0 },
      result: { text: 'done: once more', turns: 1, outputTokens: 20 },
    });
    const after = await transcriptOf('words');
    const out = await outOf('words', 2);
    expect(after.subarray(0, before.length)).toEqual(before);
    expect(after.subarray(-out.length)).toEqual(out);
    expect(out.length).toBeLessThanOrEqual(after.length - before.length);
    expect(promptsIn(out)).toEqual(['once more']);
  }, 100_000);

  it('says what it asks before it begins, and gets its prompt when that is answered', async () => {
    const run = await rig.runner.start(rig.claude('asks', [message(20, 'hello')], { cwd: rig.work }));
    const seen = listen(run);
    const asked = await seen.event('idle');
    expect(asked).toMatchObject({ for: 'unknown', text: expect.stringMatching(/trust/i) });
    await rig.choose('s-asks', /Yes, I trust/);
    expect(await seen.outcome(20)).toBe('received');
    await run.stop(CANCELLED);
    await seen.over;
  }, 100_000);
});
