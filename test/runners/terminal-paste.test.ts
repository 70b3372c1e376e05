// What is said to an agent in a terminal, whatever is in it: pasted by the ways in which messages go, into a program that records what came.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PromptMode } from '../../core/talk.ts';
import { createDelivery, DELIVERY_LIMITS, type Deliver } from '../../runners/deliver.ts';
import { createClaudeDelivery } from '../../runners/deliver-claude.ts';
import { deliverToDemo, deliverToProgram } from '../../runners/deliver-line.ts';
import { createInteractiveState } from '../../runners/interactive-state.ts';
import { type Pane, paneOf } from '../../runners/pane.ts';
import { plainText } from '../../runners/plain-text.ts';
import { sanitized } from '../../runners/sanitized.ts';
import { shellWord } from '../../runners/shell-word.ts';
import { createTerminalInput } from '../../runners/terminal-input.ts';
import { tmuxAt, tmuxProgramOn } from '../../runners/tmux.ts';
import { openTold } from '../../runners/told.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { randomFrom } from '../support/random.ts';
import { type InteractiveRig, idOf, listen, message, openInteractiveRig } from './interactive-rig.ts';
import { type Recorded, recordedIn, recorder } from './paste-recorder.ts';
import { eventually } from './rig.ts';

const PROMPTS = Number(process.env.SCOPECRAFT_PASTES ?? 500);
const SEED = Number(process.env.SCOPECRAFT_SEED ?? Date.now() % 100_000);

/** True for C0 controls but tab and line feed, DEL, and C1 controls. Written down here once more: the product is held against it. */
function isControl(char: string): boolean {
  const code = char.codePointAt(0) ?? 0;
  return (code < 0x20 && char !== '\t' && char !== '\n') || (code >= 0x7f && code < 0xa0);
}
/** What may be left of a text, with U+FFFD for halves of characters. */
const withoutControls = (text: string) => Buffer.from([...text].filter((char) => !isControl(char)).join('')).toString();

let rig: InteractiveRig;
let pane: Pane;
let record: string;
beforeAll(async () => {
  rig = await openInteractiveRig();
  record = path.join(rig.root, 'record');
  await writeFile(record, '');
  const script = path.join(rig.root, 'recorder');
  await writeFile(script, recorder(record).map(shellWord).join(' '));
  const tmux = tmuxAt(await tmuxProgramOn(rig.env.PATH), rig.socket);
  await tmux.ensureServer(rig.env.PATH);
  pane = paneOf(tmux, 'recorder', 1);
  expect(await pane.open({ cwd: rig.work, env: rig.env, script, shell: undefined, output: undefined })).toBeUndefined();
  await eventually(async () => ((await pane.look())?.screen.includes('ready') ? true : undefined));
});
afterAll(() => rig.close());

const ESCAPES = ['\x1b[201~', '\x1b[200~', '\x1b[A', '\x1b]0;title\x07', '\x1bP', '\x1b', '\u009b201~', '\u009b'];
const CONTROLS = [...Array(32).keys(), ...Array.from({ length: 33 }, (_, at) => 0x7f + at)].map((code) =>
  String.fromCharCode(code),
);

function hostileWords(trap: string): readonly string[] {
  const call = `touch ${trap}`;
  const commands = [`#(${call})`, `$(${call})`, `\`${call}\``, `!${call}`, `; ${call} ;`, `\r${call}\r`];
  const ofTmux = ['C-c', 'Enter', ';', ' ; kill-server', '\\;', '#{pane_id}', '%H', '~.'];
  return [...commands, ...ofTmux, '\u2028', '\u{1F600}', "'", '"', '\n', '\t'];
}

const WAYS = ['claude', 'demo', 'command'] as const;
type Way = (typeof WAYS)[number];

/** Brings messages in as a run does that is followed, with what its agent would show of them played. */
async function openWay(way: Way) {
  const folder = path.join(rig.root, `told-${way}`);
  await mkdir(folder);
  const told = openTold(folder);
  const clock = fakeClock();
  const agent = createInteractiveState();
  agent.take({ kind: 'begins', transcript: undefined, source: 'startup' }, 'hooks');
  const box = () => (told.all().some(({ state }) => state === 'pasting') ? '[Pasted text #1]' : '');
  const rule = '\u2500'.repeat(20);
  const shown: Pane = {
    ...pane,
    async look() {
      const view = await pane.look();
      return view && { ...view, screen: [rule, `\u276f\u00a0${box()}`, rule].join('\n') };
    },
  };
  const deliveries: Record<Way, () => Deliver> = {
    claude: () => createClaudeDelivery(clock),
    demo: () => deliverToDemo,
    command: () =>
      deliverToProgram(
        async () => true,
        () => true,
      ),
  };
  const limits = DELIVERY_LIMITS;
  const scene = { pane: shown, agent, told, clock, limits, seen: () => ({ hooks: 0, out: 0 }) };
  const delivery = createDelivery(scene, deliveries[way]());
  return async (promptId: string, text: string, mode: PromptMode) => {
    told.say({ promptId, text, mode });
    await delivery.step();
    await delivery.step();
    expect(told.all().at(-1)).toMatchObject({ promptId, state: 'entering' });
    told.step(promptId, { state: 'received' });
  };
}

/** How the words of a text come by that way. */
function comes(way: Way, words: string, mode: PromptMode): Recorded {
  if (way === 'demo') return { pasted: words, before: '\x15' };
  if (way === 'command') return { pasted: words, before: mode === 'interrupt' ? '\x03' : '' };
  return { pasted: `${/^[\p{L}\p{N}]/u.test(words) ? '' : ' '}${words} `, before: '' };
}

describe('pasting into a terminal', () => {
  it(
    `brings ${PROMPTS} random prompts in as what is left of them without control characters, and runs nothing (seed ${SEED})`,
    async () => {
      const random = randomFrom(SEED);
      const trap = path.join(rig.root, 'ran');
      const hostile = [hostileWords(trap), ESCAPES, CONTROLS];
      const ways = { claude: await openWay('claude'), demo: await openWay('demo'), command: await openWay('command') };
      const expected: Recorded[] = [];
      for (let count = 0; count < PROMPTS; count++) {
        const parts = Array.from({ length: 1 + random.below(12) }, () =>
          random.below(2) === 0
            ? random.pick(random.pick(hostile))
            : Buffer.from(Array.from({ length: random.below(40) }, () => random.below(256))).toString(
                random.below(2) === 0 ? 'latin1' : 'utf8',
              ),
        );
        const words = withoutControls(parts.join(''));
        if (words.trim() === '') continue;
        const way = random.pick(WAYS);
        const mode = random.pick(['queue', 'interrupt'] as const);
        await ways[way](idOf(count), parts.join(''), mode);
        expected.push(comes(way, words, mode));
      }
      const got = await eventually(async () => {
        const all = await recordedIn(record);
        return all.length >= expected.length ? all : undefined;
      });
      expect(got.filter(({ pasted }) => [...pasted].some(isControl))).toEqual([]);
      expect(got).toEqual(expected);
      expect(rig.sessions()).toEqual(['s-recorder']);
      expect(await readFile(trap).catch(() => 'not there')).toBe('not there');
    },
    Math.max(600_000, PROMPTS * 300),
  );

  it('brings what a run is told in by the same ways', async () => {
    const raw = `first \u001b[201~\u009b201~\r\u0003${CONTROLS.join('')}\nsecond\ttabbed`;
    const words = withoutControls(raw);
    const file = path.join(rig.root, 'told-record');
    await writeFile(file, '');
    const runs = {
      command: await rig.runner.start(rig.spec('command', [], recorder(file))),
      demo: await rig.runner.start(rig.spec('demo', [])),
    };
    const seen = listen(runs.demo);
    const other = listen(runs.command);
    await runs.command.tell(message(1, raw));
    await runs.demo.tell(message(2, raw));
    expect(await seen.outcome(2)).toBe('received');
    const prompts = (await rig.logOf('demo')).filter(({ kind }) => kind === 'prompt');
    expect(prompts.map(({ text }) => text)).toEqual([words]);
    expect(await eventually(async () => ((await recordedIn(file)).length > 0 ? recordedIn(file) : undefined))).toEqual([
      { pasted: words, before: '' },
    ]);
    for (const run of Object.values(runs)) await run.stop({ kind: 'cancelled' });
    await Promise.all([seen.over, other.over]);
  });

  it('leaves copy mode first, and does not paste when the cursor has moved', async () => {
    await writeFile(record, '');
    rig.tmux('copy-mode', '-t', '=s-recorder:');
    await pane.paste('out of copy mode');
    await pane.press('Enter');
    await eventually(async () => ((await readFile(record, 'utf8')) !== '' ? true : undefined));
    const view = await pane.look();
    await pane.paste('not this', { cursor: '7,7' });
    await pane.press('Enter', '7,7');
    await pane.paste('but this', view && { cursor: view.cursor });
    await pane.press('Enter', view?.cursor);
    const got = await eventually(async () => {
      const all = await recordedIn(record);
      return all.length > 1 ? all : undefined;
    });
    expect(got).toEqual(['out of copy mode', 'but this'].map((pasted) => ({ pasted, before: '' })));
  });

  it('brings 256 kB in at once', async () => {
    await writeFile(record, '');
    const text = 'x'.repeat(80).concat('\n').repeat(3236);
    await pane.paste(text);
    await pane.press('Enter');
    await eventually(async () => ((await readFile(record, 'utf8')).endsWith('\n') ? true : undefined));
    expect(await recordedIn(record)).toEqual([{ pasted: text, before: '' }]);
  });
});

/** Of any characters, with control characters and sequences of them much more often than chance brings them. */
const anyText = fc
  .array(fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom(...CONTROLS), fc.constantFrom(...ESCAPES)), {
    maxLength: 12,
  })
  .map((parts) => parts.join(''));

describe('text for a terminal', () => {
  it('has no control characters but tab and line feed, and nothing else is taken from it', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const clean = sanitized(text);
        expect([...clean].filter(isControl)).toEqual([]);
        expect(sanitized(clean)).toBe(clean);
        expect(clean).toBe(withoutControls(text));
      }),
    );
  });

  it('is read as a line by the built-in agent, however it is cut on the way', () => {
    fc.assert(
      fc.property(fc.array(anyText, { maxLength: 5 }), fc.integer({ min: 1, max: 50 }), (texts, size) => {
        const lines: string[] = [];
        const input = createTerminalInput({
          submit: (line) => void lines.push(line),
          interrupt: () => void lines.push('!'),
          leave: () => {},
        });
        const clean = texts.map(withoutControls);
        const bytes = Buffer.from(clean.map((text) => `\x1b[200~${text}\x1b[201~\r`).join(''));
        for (let at = 0; at < bytes.length; at += size) input.take(bytes.subarray(at, at + size));
        expect(lines).toEqual(clean.filter((text) => text !== ''));
      }),
    );
  });

  it('is plain text again when it comes from one', () => {
    expect(plainText('\x1b[1;31mred\x1b[0m \x1b]0;title\x07and\x1b(B \x1b[?2004hplain\r')).toBe('red and plain');
  });
});
