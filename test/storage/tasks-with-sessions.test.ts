// Which task files tell of sessions: those whose front matter lists some, and none that only speak of sessions or cannot be read.
import { expect, it } from 'vitest';
import { tasksWithSessions } from '../../storage/tasks-with-sessions.ts';
import { openEach, put, tasks } from './task-files-rig.ts';

openEach();

const SESSIONS = '---\nsessions:\n  - id: a-aaaa\n---\n# Told\n';

it('finds them by what their front matter says, wherever they are', async () => {
  await put('.tasks/current/told.md', SESSIONS);
  await put('.tasks/archive/2025-01/old/_overview.md', SESSIONS);
  await put('.tasks/none.md', '---\nsessions: []\n---\n# None\n');
  await put('.tasks/speaks.md', '# Speaks\n\nsessions:\n  - of parliament\n');
  await put('.tasks/broken.md', '---\nsessions: [\n---\n# Broken\n');
  expect(await tasksWithSessions(tasks)).toEqual(['old', 'told']);
});

it('looks no further when nobody wants to know any more', async () => {
  for (let at = 0; at < 20; at++) await put(`.tasks/t${at}.md`, SESSIONS);
  const leaving = new AbortController();
  const looking = tasksWithSessions(tasks, leaving.signal);
  leaving.abort();
  expect(await looking).toEqual([]);
});
