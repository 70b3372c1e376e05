// Every kind of task file there is: only two places of it change, and it says afterwards what it should.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readBack, spliceBytes } from '../../storage/task-splice.ts';
import { laterSession, sessionOf } from './sessions.ts';
import { differsOnlyInPlaces, outsideOf } from './two-places.ts';

const FOLDER = new URL('../fixtures/tasks/', import.meta.url);
const NAMES = readdirSync(FOLDER).filter((name) => name.endsWith('.md'));
const REFUSED: Readonly<Record<string, string>> = {
  'refused-alias.task.md': 'broken_front_matter',
  'refused-anchor.task.md': 'not_a_list',
  'refused-broken.task.md': 'broken_front_matter',
  'refused-duplicate-key.task.md': 'broken_front_matter',
  'refused-flow-root.md': 'broken_front_matter',
  'refused-list-root.md': 'broken_front_matter',
  'refused-mapping.task.md': 'not_a_list',
  'refused-open-fence.task.md': 'open_fence',
  'refused-scalar.task.md': 'not_a_list',
  'v1-toml.md': 'toml',
  'v1-toml-title-first.md': 'toml',
};
const WRITTEN = NAMES.filter((name) => !(name in REFUSED));

const bytesOf = (name: string) => readFileSync(new URL(name, FOLDER));

function splicedOnce(bytes: Buffer, ...sessions: Parameters<typeof spliceBytes>[1]): Buffer {
  const result = spliceBytes(bytes, sessions);
  if ('refused' in result) throw new Error(`refused: ${result.refused}`);
  return result.text;
}

describe('a task file', () => {
  it('comes in at least twenty kinds', () => {
    expect(WRITTEN.length).toBeGreaterThanOrEqual(40);
  });

  it.each(WRITTEN)('%s changes in two places only', (name) => {
    const before = bytesOf(name);
    const after = splicedOnce(before, sessionOf('old-one-aaaa'), sessionOf('new-one-cccc'));
    expect(differsOnlyInPlaces(before.toString('latin1'), after.toString('latin1'))).toBe(true);
    const later = splicedOnce(after, laterSession('new-one-cccc'), sessionOf('third-dddd'));
    expect(outsideOf(later.toString('latin1'))).toEqual(outsideOf(after.toString('latin1')));
  });

  it.each(WRITTEN)('%s is the same after a second time', (name) => {
    const sessions = [laterSession('old-one-aaaa'), sessionOf('new-one-cccc')];
    const once = splicedOnce(bytesOf(name), ...sessions);
    expect(splicedOnce(once, ...sessions).equals(once)).toBe(true);
  });

  it.each(WRITTEN)('%s tells of its sessions afterwards, and of those it had', (name) => {
    const before = bytesOf(name);
    const after = splicedOnce(before, laterSession('new-one-cccc'), sessionOf('old-one-aaaa'));
    const sessions = readBack(after.toString('utf8'));
    const had = readBack(before.toString('utf8')).filter(({ id }) => id !== 'old-one-aaaa');
    for (const session of had) expect(sessions).toContainEqual(session);
    expect(sessions.map(({ id }) => id)).toEqual(expect.arrayContaining(['new-one-cccc', 'old-one-aaaa']));
    expect(sessions.find(({ id }) => id === 'new-one-cccc')).toMatchObject({
      type: 'autonomous',
      status: 'completed',
      startTime: '2025-05-30T10:00:15Z',
      endTime: '2025-05-30T10:15:15Z',
      agent: 'claude',
      cause: 'done',
      costUsd: 0.0123,
      customPrompts: ['Focus on "JWT"\nand nothing else', 'Ünïcödé 🎉'],
      history: laterSession('x').history,
    });
  });

  it.each(WRITTEN)('%s keeps its line ends and the lack of one at its end', (name) => {
    const before = bytesOf(name).toString('latin1');
    const after = splicedOnce(bytesOf(name), sessionOf('new-one-cccc')).toString('latin1');
    if (before !== '') expect(after.endsWith('\n')).toBe(before.endsWith('\n'));
    if (before.includes('\r\n') && !/[^\r]\n/.test(before)) expect(after).not.toMatch(/[^\r]\n/);
    if (!before.includes('\r\n')) expect(after).not.toContain('\r\n');
  });

  it.each(Object.entries(REFUSED))('%s is left alone, because: %s', (name, reason) => {
    expect(spliceBytes(bytesOf(name), [sessionOf('new-one-cccc')])).toEqual({ refused: reason });
  });

  it('of the plan gets its own form again', () => {
    const text = splicedOnce(bytesOf('plan-example.task.md'), sessionOf('session-auth-fix-002')).toString();
    const frontMatter: unknown = parse(text.split('---\n')[1] ?? '');
    expect(frontMatter).toMatchObject({
      assignee: 'claude',
      sessions: [{ id: 'session-auth-fix-001' }, { id: 'session-auth-fix-002' }],
    });
    expect(text).toContain(
      '- 2025-05-30 10:15:20: Custom prompt: "Check the middleware chain for auth errors"\n\n' +
        '### Session: session-auth-fix-002 (Autonomous)\n- 2025-05-30 10:00:15: Session started with autonomous mode\n\n## Log\n',
    );
  });
});
