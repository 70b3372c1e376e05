// Another process edits the task file all the while the projector writes it: not one of its lines is lost.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTaskFiles } from '../../storage/task-files.ts';
import { createTaskProjector, type ProjectionProblem } from '../../storage/task-projector.ts';
import { readBack } from '../../storage/task-splice.ts';
import { sessionOf } from './sessions.ts';

const LINES = 1500;
const WRITES = 25;
/** Appends numbered lines, one each millisecond or so; each time it opens the file anew, as editors and agents do. */
const APPENDER = `
  const { appendFileSync } = require('node:fs');
  const [file, lines] = process.argv.slice(1);
  let at = 0;
  const next = () => {
    appendFileSync(file, 'line ' + at + '\\n');
    if (++at < Number(lines)) setTimeout(next, 1);
  };
  next();`;
/** Reads the whole file, adds a line below a mark and writes it back in place, when nobody was faster, as an agent's edit tool does. */
const EDITOR = `
  const { readFileSync, writeFileSync, existsSync } = require('node:fs');
  const [file, lines] = process.argv.slice(1);
  let at = 0;
  const next = () => {
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('MARK\\n', 'MARK\\nline ' + at + '\\n'));
    if (++at < Number(lines)) setTimeout(next, 40);
  };
  next();`;

/** Moves the file to another folder and back, over and over. */
const MOVER = `
  const { renameSync, mkdirSync } = require('node:fs');
  const { dirname, join, basename } = require('node:path');
  const [file, moves] = process.argv.slice(1);
  const other = join(dirname(file), 'backlog', basename(file));
  mkdirSync(dirname(other));
  let at = 0;
  let misses = 0;
  const next = () => {
    try {
      if (at % 2 === 0) renameSync(file, other); else renameSync(other, file);
    } catch {
      // for a moment the file may be put aside; whoever moves it finds it at the second try
      if (++misses > 20) throw new Error('the file is gone');
      return setTimeout(next, 3);
    }
    misses = 0;
    if (++at < Number(moves)) setTimeout(next, 3);
  };
  next();`;

let root = '';
let file = '';
let child: ChildProcess | undefined;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sc-editor-'));
  file = join(root, '.tasks/fix-login.task.md');
  await mkdir(join(root, '.tasks'));
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await rm(root, { recursive: true, force: true });
});

/** Lets the other process work and writes a session again and again; gives all that is found afterwards. */
async function together(
  script: string,
  lines: number,
): Promise<{
  readonly names: readonly string[];
  readonly all: string;
  readonly text: string;
  readonly problems: ProjectionProblem[];
}> {
  const problems: ProjectionProblem[] = [];
  const taskFiles = await createTaskFiles({ workspace: root });
  const ledger = { session: () => undefined, subscribe: () => () => {} };
  const projector = createTaskProjector({ ledger, taskFiles, onProblem: (problem) => problems.push(problem) });
  const other = spawn(process.execPath, ['-e', script, file, String(lines)], { stdio: ['ignore', 'ignore', 'inherit'] });
  child = other;
  const exited = once(other, 'exit');
  const history = Array.from({ length: WRITES }, (_, at) => ({ at: at * 1000, text: `event ${at}` }));
  for (let at = 1; at <= WRITES; at++) {
    await projector.project(sessionOf('a', { history: history.slice(0, at) }));
    await pause(5);
  }
  expect(await exited).toEqual([0, null]);
  await projector.project(sessionOf('a', { history }));
  await projector.close();
  const names = (await readdir(join(root, '.tasks'), { recursive: true })).filter((name) => name.includes('.md'));
  const texts = await Promise.all(names.map((name) => readFile(join(root, '.tasks', name), 'utf8')));
  return { names, all: texts.join('\n'), text: await readFile(file, 'utf8'), problems };
}

it.each([
  ['with a log', '# T\n\n---\ntype: bug\n---\n\n## Log\n'],
  ['whose history is last', '# T\n'],
])('appending to a file %s', { timeout: 120_000 }, async (_, before) => {
  await writeFile(file, before);
  const { all, text } = await together(APPENDER, LINES);
  const found = new Set(all.split('\n'));
  const lost = Array.from({ length: LINES }, (_unused, at) => `line ${at}`).filter((line) => !found.has(line));
  expect(lost).toEqual([]);
  expect(readBack(text)).toMatchObject([{ id: 'a' }]);
  expect(readBack(text)[0]?.history).toHaveLength(WRITES);
});

it('rewriting the file in place, twenty-five times a second', { timeout: 120_000 }, async () => {
  await writeFile(file, '# T\n\n---\ntype: bug\n---\n\n## Notes\nMARK\n\n## Log\n- mine\n');
  const { all, text } = await together(EDITOR, 75);
  const found = new Set(all.split('\n'));
  const lost = Array.from({ length: 75 }, (_unused, at) => `line ${at}`).filter((line) => !found.has(line));
  expect(lost).toEqual([]);
  expect(text).toContain('## Log\n- mine\n');
  expect(readBack(text)).toMatchObject([{ id: 'a' }]);
});

it('moving the file to another folder and back', { timeout: 120_000 }, async () => {
  await writeFile(file, '# T\n\n## Log\n- mine\n');
  const { names, text } = await together(MOVER, 600);
  expect(names).toEqual(['fix-login.task.md']);
  expect(text).toContain('## Log\n- mine\n');
  expect(readBack(text)[0]?.history).toHaveLength(WRITES);
});
