// The splice itself: what it writes, and what it keeps inside the two places.
import { describe, expect, it } from 'vitest';
import { type ProjectedSession, readBack } from '../../storage/task-splice.ts';
import { laterSession, sessionOf, splice } from './sessions.ts';

function done(text: string, ...sessions: readonly ProjectedSession[]): string {
  const result = splice(text, sessions);
  if ('refused' in result) throw new Error(`refused: ${result.refused}`);
  return result.text;
}

describe('the splice', () => {
  it('writes the item and the history as the plan shows them', () => {
    const session = { ...laterSession('fix-login-abcd'), parentId: 'root-aaaa' };
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

  it('tells what all runs have cost', () => {
    const result = { text: 'Done.', isError: false, costUsd: 0.01 };
    expect(done('', sessionOf('a', { result, spentUsd: 0.03 }))).toContain('costUsd: 0.03\n');
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
});

describe('reading back', () => {
  it('leaves out what is no session and what cannot be read', () => {
    expect(readBack('---\nsessions: [{id: a}, 3, {status: x}, {id: 7}]\n---\n').map(({ id }) => id)).toEqual(['a']);
    expect(readBack('---\nsessions: no\n---\n')).toEqual([]);
    expect(readBack('---\nsessions: [\n---\n')).toEqual([]);
    expect(readBack('no front matter')).toEqual([]);
  });
});
