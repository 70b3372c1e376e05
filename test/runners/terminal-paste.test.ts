import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Pane, paneOf } from '../../runners/pane.ts';
import { plainText } from '../../runners/plain-text.ts';
import { sanitized } from '../../runners/sanitized.ts';
import { shellWord } from '../../runners/shell-word.ts';
import { createTerminalInput } from '../../runners/terminal-input.ts';
import { tmuxAt, tmuxProgramOn } from '../../runners/tmux.ts';
import { randomFrom } from '../support/random.ts';
import { type InteractiveRig, openInteractiveRig } from './interactive-rig.ts';
import { eventually } from './rig.ts';

const PROMPTS = Number(process.env.SCOPECRAFT_PASTES ?? 500);
const SEED = Number(process.env.SCOPECRAFT_SEED ?? Date.now() % 100_000);

/** Records each paste it gets as a line of hex, and everything that came outside of one. */
const RECORDER = `
const { appendFileSync } = require('node:fs');
process.stdin.setRawMode(true);
process.stdout.write('\\x1b[?2004hready');
let bytes = '';
process.stdin.on('data', (chunk) => {
  bytes += chunk.toString('latin1');
  for (let enter; (enter = /\\x1b\\[200~([^]*?)\\x1b\\[201~\\r/.exec(bytes)); ) {
    const before = bytes.slice(0, enter.index);
    appendFileSync(process.argv[1], Buffer.from(enter[1], 'latin1').toString('hex') + (before ? ' outside ' + before : '') + '\\n');
    bytes = bytes.slice(enter.index + enter[0].length);
  }
});`;

let rig: InteractiveRig;
let pane: Pane;
let record: string;
beforeAll(async () => {
  rig = await openInteractiveRig();
  record = path.join(rig.root, 'record');
  await writeFile(record, '');
  const script = path.join(rig.root, 'recorder');
  await writeFile(script, [process.execPath, '-e', RECORDER, record].map(shellWord).join(' '));
  const tmux = tmuxAt(await tmuxProgramOn(rig.env.PATH), rig.socket);
  await tmux.ensureServer(rig.env.PATH);
  pane = paneOf(tmux, 'recorder', 1);
  expect(await pane.open({ cwd: rig.work, env: rig.env, script, shell: undefined, output: undefined })).toBeUndefined();
  await eventually(async () => ((await pane.look())?.screen.includes('ready') ? true : undefined));
});
afterAll(() => rig.close());

const HOSTILE = [
  '\x1b[201~',
  '\x1b[200~',
  '\x03',
  'C-c',
  ';',
  ' ; kill-server',
  '\\;',
  '#{pane_id}',
  '#(touch ran)',
  '$(touch ran)',
  '`touch ran`',
  '%H',
  '\r',
  '\n',
  '\t',
  '\u009b201~',
  '\u2028',
  '\u{1F600}',
  "'",
  '"',
  '!touch ran',
  '\0',
  'Enter',
  '~.',
];

describe('pasting into a terminal', () => {
  it(
    `brings ${PROMPTS} random prompts in as what is left of them without control characters, and runs nothing (seed ${SEED})`,
    async () => {
      const random = randomFrom(SEED);
      const expected: string[] = [];
      for (let count = 0; count < PROMPTS; count++) {
        const parts = Array.from({ length: 1 + random.below(12) }, () =>
          random.below(2) === 0
            ? random.pick(HOSTILE)
            : Buffer.from(Array.from({ length: random.below(40) }, () => random.below(256))).toString(
                random.below(2) === 0 ? 'latin1' : 'utf8',
              ),
        );
        const text = sanitized(parts.join(''));
        if (text === '') continue;
        expected.push(Buffer.from(text).toString('hex'));
        await pane.paste(text, { after: ['Enter'] });
      }
      const lines = await eventually(async () => {
        const got = (await readFile(record, 'utf8')).split('\n').slice(0, -1);
        return got.length >= expected.length ? got : undefined;
      });
      expect(lines).toEqual(expected);
      expect(rig.sessions()).toEqual(['s-recorder']);
      expect(await readFile(path.join(rig.work, 'ran')).catch(() => 'not there')).toBe('not there');
    },
    Math.max(600_000, PROMPTS * 300),
  );

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
    const lines = await eventually(async () => {
      const got = (await readFile(record, 'utf8')).split('\n');
      return got.length > 2 ? got : undefined;
    });
    expect(lines.map((line) => Buffer.from(line, 'hex').toString())).toEqual(['out of copy mode', 'but this', '']);
  });

  it('brings 256 kB in at once', async () => {
    await writeFile(record, '');
    const text = 'x'.repeat(80).concat('\n').repeat(3236);
    await pane.paste(text);
    await pane.press('Enter');
    await eventually(async () => ((await readFile(record, 'utf8')).endsWith('\n') ? true : undefined));
    expect((await readFile(record, 'utf8')).trimEnd()).toBe(Buffer.from(text).toString('hex'));
  });
});

const anyText = fc.string({ unit: 'binary', maxLength: 200 });

describe('text for a terminal', () => {
  it('has no control characters but tab and line feed, and nothing else is taken from it', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const clean = sanitized(text);
        expect(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/.test(clean)).toBe(false);
        expect(sanitized(clean)).toBe(clean);
        const kept = [...text].filter((char) => !/[\x00-\x08\x0b-\x1f\x7f-\x9f]/.test(char)).join('');
        expect(clean).toBe(Buffer.from(kept).toString());
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
        const clean = texts.map(sanitized);
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
