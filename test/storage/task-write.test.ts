// Writing sessions into a task file that somebody else changes at the same moment.
import { appendFileSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { readBack } from '../../storage/task-splice.ts';
import { writeSessions } from '../../storage/task-write.ts';
import { sessionOf } from './sessions.ts';
import { openEach, put, root, tasks } from './task-files-rig.ts';

openEach();

/** Writes session `a` while this happens before each of the writes. */
async function written(disturb: (turn: number) => void): Promise<number> {
  let turn = 0;
  await writeSessions({
    taskFiles: tasks,
    taskId: 'fix-login',
    sessions: () => [sessionOf('a')],
    lateLooksMs: [],
    inTurn: (_file, deed) => deed(),
    onDisk(deed) {
      turn += 1;
      disturb(turn);
      return deed();
    },
  });
  return turn;
}

it('reads a file that was changed since it was read once more, and keeps the change', async () => {
  const file = await put('.tasks/fix-login.task.md', '# Fix the login\n\n## Log\n');
  expect(await written((turn) => turn <= 2 && appendFileSync(file, `- theirs ${turn}\n`))).toBe(3);
  const text = readFileSync(file, 'utf8');
  expect(readBack(text)).toMatchObject([{ id: 'a', status: 'running' }]);
  expect(text).toContain('## Log\n- theirs 1\n- theirs 2\n');
});

it('finds a file that was moved since it was read where it is now', async () => {
  const file = await put('.tasks/fix-login.task.md', '# Fix the login\n');
  const moved = path.join(root, '.tasks/archive/2025-05/fix-login.task.md');
  mkdirSync(path.dirname(moved), { recursive: true });
  await written((turn) => turn === 1 && renameSync(file, moved));
  expect(readBack(readFileSync(moved, 'utf8'))).toMatchObject([{ id: 'a' }]);
});

it('gives up when that goes on and on, and what is there stays', async () => {
  const file = await put('.tasks/fix-login.task.md', '# Fix the login\n');
  const endless = written((turn) => appendFileSync(file, `theirs ${turn}\n`));
  await expect(endless).rejects.toMatchObject({ code: 'busy' });
  const text = readFileSync(file, 'utf8');
  expect(text).toMatch(/^# Fix the login\n(theirs \d\n)+$/);
  expect(readBack(text)).toEqual([]);
});
