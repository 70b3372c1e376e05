// The book of rules where its folder is not well: what cannot be read, what is there twice, and what changes while it is being read.
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fail } from '../../core/errors.ts';
import type { RuleFiles } from '../../core/rule-ports.ts';
import { createRuleBook } from '../../prompts/library.ts';
import { createRuleFiles } from '../../storage/rule-files.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { memoryRuleFiles } from '../support/memory-rules.ts';

const RULE = '---\npriority: 1\n---\nSay.\n';
const bookOf = (files: RuleFiles) =>
  createRuleBook({ files, clock: fakeClock(), onError: (error) => expect.fail(String(error)) });

describe('a folder that is not well', () => {
  it('keeps its rules in force while it cannot be looked at, and says so', async () => {
    const memory = memoryRuleFiles(new Map([['own.md', RULE]]));
    let isWell = true;
    const book = bookOf({ ...memory, list: async () => (isWell ? memory.list() : fail('STORAGE_FAILED', 'It cannot be read.')) });
    await book.refresh();
    isWell = false;
    await book.refresh();
    expect(book.get('own')).toBeDefined();
    expect(book.problems()).toEqual([{ file: '.scopecraft/prompts', line: 1, column: 1, message: 'It cannot be read.' }]);
    isWell = true;
    await book.refresh();
    expect(book.problems()).toEqual([]);
  });

  it('is told of also where its very place cannot be looked at', async () => {
    const workspace = await mkdtemp(path.join(tmpdir(), 'sc-rules-'));
    const place = path.join(workspace, '.scopecraft', 'prompts');
    await mkdir(path.dirname(place));
    const files = createRuleFiles(workspace);
    expect(await files.list()).toEqual([]);
    await symlink('nowhere', place);
    expect(await files.list()).toEqual([]);
    await rm(place);
    await symlink('prompts', place);
    await expect(files.list()).rejects.toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining('ELOOP') });
    await rm(workspace, { recursive: true });
  });

  it('has a file read again that could not be read this time, and no other', async () => {
    const memory = memoryRuleFiles(
      new Map([
        ['own.md', RULE],
        ['wrong.md', 'x'],
      ]),
    );
    const reads: string[] = [];
    let isWell = false;
    const read = async (name: string, most: number) => {
      reads.push(name);
      return isWell || name !== 'own.md' ? memory.read(name, most) : fail('STORAGE_FAILED', 'Too many open files.');
    };
    const book = bookOf({ ...memory, read });
    await book.refresh();
    expect(book.get('own')).toBeUndefined();
    expect(book.problems()).toHaveLength(2);
    isWell = true;
    await book.refresh();
    expect(book.get('own')).toBeDefined();
    await book.refresh();
    expect(reads).toEqual(['own.md', 'wrong.md', 'own.md']);
  });

  it('says how many files are left out where there are too many', async () => {
    const many = Array.from({ length: 2002 }, (_, at) => [`r${String(at).padStart(4, '0')}.md`, RULE] as const);
    const book = bookOf(memoryRuleFiles(new Map(many)));
    await book.refresh();
    expect(book.get('r1999')).toBeDefined();
    expect(book.get('r2000')).toBeUndefined();
    expect(book.problems().map(({ message }) => message)).toEqual([
      'It has 2002 rule files; the first 2000 by name are read, the others are left out.',
    ]);
  });

  it('shows whoever asks during a reading what was there when they asked', async () => {
    const files = new Map([['own.md', RULE]]);
    const memory = memoryRuleFiles(files);
    let isHeld: Promise<void> | undefined;
    const list = async () => {
      const seen = await memory.list();
      await isHeld;
      return seen;
    };
    const book = bookOf({ ...memory, list });
    let go = () => {};
    isHeld = new Promise((resolve) => {
      go = resolve;
    });
    const first = book.refresh();
    await Promise.resolve();
    files.set('late.md', RULE);
    const second = book.refresh();
    go();
    await second;
    expect(book.get('late')).toBeDefined();
    await first;
  });
});

describe('files on a disk', () => {
  let root = '';
  let folder = '';
  beforeEach(async () => {
    root = await realpath(await mkdtemp(path.join(tmpdir(), 'rules-')));
    folder = path.join(root, 'w', '.scopecraft', 'prompts');
    await mkdir(folder, { recursive: true });
  });
  afterEach(() => rm(root, { recursive: true, force: true }));
  const opened = async () => {
    const book = bookOf(createRuleFiles(path.join(root, 'w')));
    await book.refresh();
    return book;
  };
  const put = (name: string, text: string) => writeFile(path.join(folder, name), text);
  const get = (name: string) => readFile(path.join(folder, name), 'utf8');

  it('that are links to nowhere are told of', async () => {
    await symlink(path.join(root, 'gone.md'), path.join(folder, 'gone.md'));
    expect((await opened()).problems()).toMatchObject([{ message: expect.stringContaining('cannot be read: ENOENT') }]);
  });

  it('are told of where the folder is none', async () => {
    await rm(folder, { recursive: true });
    await writeFile(folder, 'a file');
    const book = await opened();
    expect(book.problems()).toMatchObject([{ message: '".scopecraft/prompts" cannot be read: ENOTDIR.' }]);
    await expect(book.write('new', RULE)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });

  it('are not made where the folder leads out of the workspace', async () => {
    await rm(path.join(root, 'w', '.scopecraft'), { recursive: true });
    await mkdir(path.join(root, 'elsewhere'));
    await symlink(path.join(root, 'elsewhere'), path.join(root, 'w', '.scopecraft'));
    await expect((await opened()).write('new', RULE)).rejects.toMatchObject({ code: 'PATH_OUTSIDE' });
    await expect(get('new.md')).rejects.toThrow();
    await expect(readFile(path.join(root, 'elsewhere', 'prompts'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('of another rule are not written over', async () => {
    await put('fix.md', RULE.replace('priority', 'id: repair\npriority'));
    const book = await opened();
    const says = 'The file fix.md holds rule "repair"; rename that file, or choose another id than "fix".';
    await expect(book.compose('fix', { text: RULE })).rejects.toThrow(says);
    await expect(book.write('fix', RULE)).rejects.toThrow(says);
    expect(book.get('repair')).toBeDefined();
    await book.write('repair', await book.compose('repair', { priority: 2 }));
    expect(await get('fix.md')).toContain('priority: 2');
  });

  it('are not written larger than they are read', async () => {
    const book = await opened();
    await expect(book.write('large', `---\n---\n${'ü'.repeat(40_000)}\n`)).rejects.toThrow('more than 65536 bytes');
    await expect(get('large.md')).rejects.toThrow();
  });

  it.each([
    ['with line ends of Windows', RULE.replaceAll('\n', '\r\n'), '---\r\npriority: 1\r\nenabled: false\r\n---\r\nDo\r\nit.\r\n'],
    [
      'whose closing line has blanks behind it',
      '---\npriority: 1\n---  \nSay.\n',
      '---\npriority: 1\nenabled: false\n---  \nDo\nit.\n',
    ],
    ['that end with their front matter', '---\nkind: session\n---', '---\nkind: session\nenabled: false\n---\nDo\nit.\n'],
    ['with a mark of bytes before them', `\uFEFF${RULE}`, '\uFEFF---\npriority: 1\nenabled: false\n---\nDo\nit.\n'],
  ])('%s are changed as they are', async (_name, before, after) => {
    await put('own.md', before);
    const book = await opened();
    expect(await book.compose('own', { enabled: false, template: 'Do\nit.' })).toBe(after);
    expect(await book.compose('own', { enabled: false })).toBe(
      after.replace(/---( *)(?:\r?\n)?Do\r?\nit.\r?\n$/, before.slice(before.lastIndexOf('---'))),
    );
    await book.write('own', after);
    expect(book.get('own')).toMatchObject({ enabled: false, template: expect.stringMatching(/^Do\r?\nit\.$/) });
  });
});
