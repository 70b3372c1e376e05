// The splice itself: what it writes, what it keeps inside the two places, and that nothing anywhere makes it lose a byte.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ProjectedSession, readBack, splice, spliceBytes } from '../../storage/task-splice.ts';
import { laterSession, sessionOf } from './sessions.ts';
import { differsOnlyInPlaces } from './two-places.ts';

const RUNS = 1000;

function done(text: string, ...sessions: readonly ProjectedSession[]): string {
  const result = splice(text, sessions);
  if ('refused' in result) throw new Error(`refused: ${result.refused}`);
  return result.text;
}

describe('the splice', () => {
  it('writes the item and the history as the plan shows them', () => {
    const session = { ...laterSession('fix-login-abcd'), parentId: 'root-aaaa', tmuxSession: 'claude-fix-login' };
    expect(done('# T\n\n---\ntype: bug\n---\n\n## Log\n', session)).toBe(`# T

---
type: bug
sessions:
  - id: fix-login-abcd
    type: autonomous
    status: completed
    startTime: 2025-05-30T10:00:15Z
    endTime: 2025-05-30T10:15:15Z
    agent: claude
    parentId: root-aaaa
    tmuxSession: claude-fix-login
    cause: done
    costUsd: 0.0123
    customPrompts:
      - "Focus on \\"JWT\\"\\nand nothing else"
      - "Ünïcödé 🎉"
---

## Session History
### Session: fix-login-abcd (Autonomous)
- 2025-05-30 10:00:15: Session started with autonomous mode
- 2025-05-30 10:01:15: Custom prompt: "Focus on "JWT" and nothing else"
- 2025-05-30 10:15:15: Session completed, $0.0123: Done.

## Log
`);
  });

  it('cuts a long prompt, with its length and where it is whole', () => {
    const text = done('', sessionOf('a', { customPrompts: ['x'.repeat(5000)] }));
    expect(readBack(text)[0]?.customPrompts).toEqual([`${'x'.repeat(200)}… (5000 characters, whole in the log)`]);
  });

  it('never cuts a character in two', () => {
    const text = done('', sessionOf('a', { customPrompts: [`${'x'.repeat(199)}🎉🎉`] }));
    expect(readBack(text)[0]?.customPrompts?.[0]).toMatch(/^x{199}… /);
  });

  it('writes the newest twenty prompts and says how many came before', () => {
    const text = done('', sessionOf('a', { customPrompts: Array.from({ length: 25 }, (_, at) => `prompt ${at}`) }));
    expect(readBack(text)[0]?.customPrompts).toHaveLength(20);
    expect(text).toContain('# 5 earlier prompts are in the log');
  });

  it('lets no history text break out of its line', () => {
    const nasty = '\n## Log\n---\r\n# x\u2028## y\u0000\u0085```\u202Eevil\uD800';
    const text = done('# T\n\n## Log\n- mine\n', sessionOf('a', { history: [{ at: 0, text: nasty }] }));
    const line = text.split('\n').find((one) => one.startsWith('- 1970-01-01 00:00:00:'));
    expect(line).toBe('- 1970-01-01 00:00:00: ## Log --- # x ## y ``` evil\uFFFD');
  });

  it('lets no prompt break out of its quotes', () => {
    const nasty = '"\n---\nsessions: x\u0000\u0085\u2028\u202E\uFEFF\\';
    const text = done('# T\n', sessionOf('a', { customPrompts: [nasty] }));
    expect(readBack(text)[0]?.customPrompts).toEqual([nasty]);
    expect(text).not.toMatch(/[\u0000\u0085\u2028\u202E]/);
  });

  it('keeps what an agent wrote between our lines, and adds new ones behind it', () => {
    const once = done('# T\n\n## Log\n', sessionOf('a'));
    const noted = once.replace(
      'autonomous mode\n',
      'autonomous mode\n- 2025-05-30 10:01:00: Found it in auth.ts:42\n  and below\nA note.\n',
    );
    const text = done(noted, laterSession('a'));
    expect(text).toContain(`- 2025-05-30 10:01:00: Found it in auth.ts:42
  and below
- 2025-05-30 10:01:15: Custom prompt: "Focus on "JWT" and nothing else"
- 2025-05-30 10:15:15: Session completed, $0.0123: Done.
A note.
`);
  });

  it('puts a line that was taken out back where it was', () => {
    const whole = done('# T\n', laterSession('a'));
    const lines = whole.split('\n');
    const without = lines.filter((line) => !line.includes(': Custom prompt:')).join('\n');
    expect(done(without, laterSession('a'))).toBe(whole);
  });

  it('does not start a second block for a session whose id begins alike', () => {
    const text = done(done('# T\n', sessionOf('a-bbbb')), sessionOf('a-bb'));
    expect(text.match(/### Session: /g)).toHaveLength(2);
    expect(readBack(text).map(({ id }) => id)).toEqual(['a-bbbb', 'a-bb']);
  });

  it('quotes an id that YAML would take for something else', () => {
    for (const id of ['true', '0123', 'null', 'a: b', '1e3', '2025-05-30', 'no']) {
      expect(readBack(done('# T\n', sessionOf(id))).map((session) => session.id)).toEqual([id]);
    }
  });

  it('refuses to grow the front matter beyond what can be read', () => {
    const sessions = Array.from({ length: 300 }, (_, at) => sessionOf(`s-${at}`, { customPrompts: ['x'.repeat(190)] }));
    expect(splice('# T\n', sessions)).toEqual({ refused: 'too_large' });
  });

  it('leaves a text alone when there is nothing to write', () => {
    expect(splice('anything', [])).toEqual({ text: 'anything' });
  });

  it('gives the same bytes for text and for bytes', () => {
    const text = '# Ünï 🎉\n\n---\narea: é\n---\n\nà\n';
    const result = spliceBytes(Buffer.from(text), [laterSession('a')]);
    expect('text' in result && result.text.toString()).toBe(done(text, laterSession('a')));
  });
});

describe('reading back', () => {
  it('leaves out what is no session and what cannot be read', () => {
    expect(readBack('---\nsessions: [{id: a}, 3, {status: x}, {id: 7}]\n---\n').map(({ id }) => id)).toEqual(['a']);
    expect(readBack('---\nsessions: no\n---\n')).toEqual([]);
    expect(readBack('---\nsessions: [\n---\n')).toEqual([]);
    expect(readBack('no front matter')).toEqual([]);
  });
});

describe('of any text', { timeout: 120_000 }, () => {
  const fragment = fc.constantFrom(
    '---',
    '# Title',
    '## Log',
    '## Session History',
    '### Session: a (Autonomous)',
    '- 2025-05-30 10:00:15: x',
    '```',
    '~~~',
    '    ```',
    '<!--',
    '-->',
    'type: bug',
    'sessions:',
    'sessions: []',
    'sessions: [ {id: a} ]',
    '  - id: a',
    '    status: x',
    '- id: b',
    '  - b',
    '  # c',
    '',
    ' ',
    '\t',
    'text',
    '| --- |',
    '+++',
    'a: |',
    '  block',
    '\'q\': "x"',
    '🎉',
    '\u00A0',
    '\u2028',
    'a: &x 1',
    'b: *x',
    '{a: 1}',
    '...',
    '%YAML 1.2',
    '#',
    '##',
    'Setext',
    '===',
  );
  const line = fc.oneof(
    { weight: 6, arbitrary: fragment },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  );
  const text = fc
    .tuple(
      fc.constantFrom('', '\uFEFF', '# Title\n\n---\ntype: bug\n', '---\ntype: bug\n', '# Title\r\n\r\n---\r\n'),
      fc.array(fc.tuple(line, fc.constantFrom('\n', '\n', '\n', '\r\n'))),
      line,
    )
    .map(([head, lines, last]) => head + lines.map(([words, end]) => words + end).join('') + last);
  const prompts = fc.array(fc.string({ unit: 'binary', maxLength: 30 }), { maxLength: 3 });
  const sessionsOf = (...known: string[]) =>
    fc
      .uniqueArray(fc.constantFrom(...known), { minLength: 1 })
      .chain((ids) =>
        fc.tuple(
          ...ids.map((id) =>
            fc
              .tuple(prompts, prompts)
              .map(([said, customPrompts]) =>
                sessionOf(id, { customPrompts, history: said.map((words, at) => ({ at: at * 1000, text: words })) }),
              ),
          ),
        ),
      );
  const sessions = sessionsOf('a', 'b', 'fix-login-abcd', 'x.y_z');

  it('a second splice changes nothing, and the sessions can be read back', () => {
    let written = 0;
    fc.assert(
      fc.property(text, sessions, (before, list) => {
        const once = splice(before, list);
        if ('refused' in once) return;
        written++;
        expect(splice(once.text, list)).toEqual(once);
        const found = readBack(once.text);
        for (const { id } of list) expect(found.filter((session) => session.id === id).length).toBeGreaterThanOrEqual(1);
      }),
      { numRuns: RUNS },
    );
    expect(written).toBeGreaterThan(RUNS / 4);
  });

  it('every line that was there is still there, in order', () => {
    fc.assert(
      fc.property(text, sessionsOf('new-one', 'new-two'), (before, list) => {
        const once = splice(before, list);
        if ('refused' in once) return;
        expect(once.text.startsWith('\uFEFF')).toBe(before.startsWith('\uFEFF'));
        const after = once.text.replace(/^\uFEFF/, '').split('\n');
        let at = 0;
        // a line with the key itself may lose its brackets or get items
        for (const kept of before
          .replace(/^\uFEFF/, '')
          .split('\n')
          .filter((words) => !/sessions/.test(words))) {
          const bare = kept.replace(/\r+$/, '');
          while (at < after.length && after[at]?.replace(/\r+$/, '') !== bare) at++;
          expect(at, `"${bare}" is gone`).toBeLessThan(after.length);
          at++;
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('with bytes of any kind around ordinary parts, only the two places differ', () => {
    const bytes = fc.uint8Array({ maxLength: 60 }).map((array) =>
      Buffer.from(array)
        .toString('latin1')
        .replace(/[\r\n`~<]/g, '.'),
    );
    const end = fc.constantFrom('\n', '\r\n');
    fc.assert(
      fc.property(
        fc.array(bytes, { maxLength: 6 }),
        fc.array(bytes, { maxLength: 6 }),
        end,
        fc.boolean(),
        fc.boolean(),
        (above, below, lineEnd, hasHistory, hasKey) => {
          const key = hasKey ? ['sessions:', '  - id: old-one-aaaa', '    status: lost'] : [];
          const history = hasHistory
            ? ['## Session History', '### Session: old-one-aaaa (Autonomous)', '- 2025-05-30 10:00:15: Session started', '']
            : [];
          const before = [
            '# Title',
            '',
            '---',
            'type: bug',
            ...key,
            'area: x',
            '---',
            ...above.map((words) => `> ${words}`),
            '',
            ...history,
            '## Log',
            ...below.map((words) => `- ${words}`),
            '',
          ].join(lineEnd);
          const result = spliceBytes(Buffer.from(before, 'latin1'), [laterSession('new-one-cccc'), sessionOf('old-one-aaaa')]);
          expect('text' in result && differsOnlyInPlaces(before, result.text.toString('latin1'))).toBe(true);
        },
      ),
      { numRuns: RUNS },
    );
  });
});
