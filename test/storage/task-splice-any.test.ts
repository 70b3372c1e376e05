// The splice on texts of any kind: done twice it is done once, what it wrote can be read back, and no line is lost.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBack, spliceBytes } from '../../storage/task-splice.ts';
import { laterSession, sessionOf, splice } from './sessions.ts';
import { differsOnlyInPlaces } from './two-places.ts';

const RUNS = Number(process.env.SCOPECRAFT_SPLICES ?? 1000);

describe('of any text', { timeout: 60_000 + 60 * RUNS }, () => {
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
