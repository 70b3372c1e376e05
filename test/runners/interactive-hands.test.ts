// Claude Code with dialogs open, people at the keyboard, and hubs that die in the middle of a delivery.
import { access, appendFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Run } from '../../core/run-ports.ts';
import { inputBox } from '../../runners/input-box.ts';
import { plainText } from '../../runners/plain-text.ts';
import { processesLeft, processesMarked } from '../support/processes.ts';
import { type ClaudeRig, hookedPrompts, idOf, listen, message, openClaudeRig } from './interactive-rig.ts';
import { eventually } from './rig.ts';

let rig: ClaudeRig;
let run: Run;
let seen: ReturnType<typeof listen>;
beforeAll(async () => {
  rig = await openClaudeRig({ typingMs: 2000 });
  run = await rig.runner.start(rig.claude('hands', [message(1, 'hello')]));
  seen = listen(run);
  expect(await seen.outcome(1)).toBe('received');
  await seen.rests();
});
afterAll(() => rig.close());

const keys = (...words: string[]) => rig.tmux('send-keys', '-t', '=s-hands:', ...words);
const screen = () => rig.tmux('capture-pane', '-p', '-e', '-t', '=s-hands:');
const boxText = () => inputBox(screen()).text.trim();
const shows = (text: string) => eventually(() => (screen().includes(text) ? true : undefined));
const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );

describe('a prompt for Claude Code', { timeout: 60_000 }, () => {
  it('never answers a dialog; it waits until that is answered', async () => {
    const file = path.join(rig.root, 'touched');
    await run.tell(message(2, `@@tool Bash {"command":"touch ${file}"}\n@@say touched`));
    await seen.outcome(2);
    const { callId, input } = await seen.event('asks');
    expect(input).toMatchObject({ command: `touch ${file}` });
    await run.tell(message(3, 'meanwhile'));
    await delay(2500);
    expect(await exists(file)).toBe(false);
    expect(seen.events.some((event) => 'promptId' in event && event.promptId === idOf(3))).toBe(false);
    await rig.choose('s-hands', /1\. Yes/);
    expect(await seen.event('withdrawn')).toMatchObject({ callId, decision: 'allow' });
    expect(await seen.outcome(3)).toBe('received');
    expect(await exists(file)).toBe(true);
    await seen.rests();
  });

  it('breaks off what the agent does, where it is told to', async () => {
    await run.tell(message(4, '@@tool Bash {"command":"true; sleep 600"}\n@@say never'));
    expect(await seen.outcome(4)).toBe('received');
    await expect.poll(async () => (await processesMarked(rig.root)).map(({ command }) => command)).toContain('sleep 600');
    await run.tell(message(5, '@@say at once', 'interrupt'));
    expect(await seen.outcome(5)).toBe('received');
    await seen.rests();
    await eventually(() => (plainText(screen()).includes('● at once') ? true : undefined));
  });

  it('is not mixed with what a person is typing, and not brought in while that stands there', async () => {
    keys('-l', 'half a thou');
    await shows('half a thou');
    await run.tell(message(6, 'not now'));
    expect(await seen.outcome(6)).toMatch(/Somebody has typed/);
    expect(boxText()).toBe('half a thou');
    keys('-l', 'ght');
    keys('Enter');
    await run.tell(message(7, 'now'));
    expect(await seen.outcome(7)).toBe('received');
    expect((await hookedPrompts(rig.folder('hands'))).slice(-2)).toEqual(['half a thought', 'now']);
    expect(seen.events.filter((event) => 'promptId' in event)).toHaveLength(7);
    await seen.rests();
  });

  it.each([
    [30, 'pasting'],
    [31, 'entering'],
  ])(
    'is said once when the client of tmux is killed in the middle of it (%i, at %s)',
    async (number, state) => {
      const text = `held at ${state}`;
      const at = async () =>
        (await readFile(path.join(rig.folder('hands'), 'told'), 'utf8')).includes(`"${idOf(number)}","state":"${state}"`);
      // a look brings the next one, where the one before was killed
      const pid = await eventually(async () => {
        await rig.runner.find('hands', 1);
        return Number(rig.tmux('list-clients', '-F', '#{client_pid}').trim()) || undefined;
      });
      await run.tell(message(number, text));
      await eventually(async () => ((await at()) ? true : undefined));
      process.kill(pid, 'SIGKILL');
      expect(await seen.outcome(number)).toBe('received');
      await seen.rests();
      expect((await hookedPrompts(rig.folder('hands'))).filter((prompt) => prompt === text)).toHaveLength(1);
    },
    60_000,
  );

  it('that would end the program is not said, and why is told', async () => {
    await run.tell(message(8, ' exit\n'));
    expect(await seen.outcome(8)).toMatch(/leave/);
  });

  it('is seen to be idle when a person breaks off what the agent does', async () => {
    await run.tell(message(9, '@@sleep 60000\n@@say never'));
    expect(await seen.outcome(9)).toBe('received');
    await seen.event('works');
    keys('Escape');
    const count = seen.events.length;
    await eventually(() => (seen.events.slice(count).some(({ kind }) => kind === 'idle') ? true : undefined), 30_000);
    keys('C-c');
    await eventually(() => (inputBox(screen()).kind === 'empty' ? true : undefined));
  });
});

/** What a hub wrote down before it was killed, after the first hub has let go. */
const wroteDown = (number: number, text: string, ...states: string[]) =>
  appendFile(
    path.join(rig.folder('hands'), 'told'),
    [
      { promptId: idOf(number), text, mode: 'queue' },
      ...states.map((state) => ({ promptId: idOf(number), state, seen: { hooks: 0, out: 0 } })),
    ]
      .map((step) => `${JSON.stringify(step)}\n`)
      .join(''),
  );

describe('a hub that was killed while it brought a prompt in', () => {
  it('is followed by one that neither says it twice nor forgets it, wherever it was', async () => {
    // a hub that is told nothing does nothing, so the first one may stay
    const type = async (text: string, ...then: string[]) => {
      keys('-l', text);
      await eventually(() => (boxText() === text ? true : undefined));
      keys(...then);
    };
    await wroteDown(20, 'pasted and not submitted', 'pasting');
    await type('pasted and not submitted', 'End');
    const second = await rig.nextHub().adopt('hands', 1);
    const later = second && listen(second);
    expect(await later?.outcome(20)).toBe('received');
    expect(await later?.outcome(1)).toBe('received');
    await later?.rests();

    await wroteDown(21, 'submitted and not seen', 'pasting', 'entering');
    await type('submitted and not seen', 'Enter');
    await eventually(async () =>
      (await hookedPrompts(rig.folder('hands'))).includes('submitted and not seen') ? true : undefined,
    );
    await wroteDown(22, 'written down and not pasted', 'pasting');
    const third = await rig.nextHub().adopt('hands', 1);
    const last = third && listen(third);
    expect([await last?.outcome(21), await last?.outcome(22)]).toEqual(['received', 'received']);
    await last?.rests();
    const prompts = await hookedPrompts(rig.folder('hands'));
    for (const text of ['pasted and not submitted', 'submitted and not seen', 'written down and not pasted'])
      expect(
        prompts.filter((prompt) => prompt === text),
        text,
      ).toHaveLength(1);

    await third?.stop({ kind: 'cancelled' });
    await last?.over;
    // tmux takes its client's session away a moment after the client
    await expect.poll(rig.sessions).toEqual([]);
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  }, 60_000);
});
