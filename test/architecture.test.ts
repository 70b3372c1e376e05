// Who may import what, and a few rules on files: one table, one regular expression, and each breach in a sentence.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROJECT } from './support/project.ts';

/** Room → what its files may import besides their own room: rooms, single files of a room, packages, `node:*`. */
const ROOMS = {
  core: ['zod', 'pure-rand'],
  tools: ['core', 'zod'],
  resources: ['core', 'zod'],
  prompts: ['core', 'zod', 'gray-matter', 'yaml', 're2js', 'node:*'],
  storage: ['core', 'zod', 'gray-matter', 'yaml', 'lowdb', 'p-queue', 're2js', 'channelcoder', 'node:*'],
  runners: ['core', 'zod', 'channelcoder', 'pidusage', 'node:*'],
  server: [
    'core',
    'tools',
    'resources',
    'prompts',
    'storage',
    'runners',
    'zod',
    '@modelcontextprotocol/server',
    '@modelcontextprotocol/node',
    'node:*',
  ],
  client: [
    'core',
    'tools',
    'server/config.ts',
    'server/connect.ts',
    'server/lines.ts',
    'server/programs.ts',
    'server/stdio.ts',
    'server/workspace.ts',
    'storage/channelcoder',
    'zod',
    '@modelcontextprotocol/client',
    'node:*',
  ],
  cli: [
    'core',
    'tools',
    'client',
    'server/client-tokens.ts',
    'server/config.ts',
    'server/connect.ts',
    'server/lines.ts',
    'server/programs.ts',
    'server/runtime-dir.ts',
    'server/settings.ts',
    'server/version.ts',
    'server/workspace.ts',
    'storage/task-files.ts',
    'storage/tasks-with-sessions.ts',
    // what is wrong with rules is told where no hub runs too
    'prompts/library.ts',
    'storage/rule-files.ts',
    // the doctor finds programs as a start does
    'runners/locate-program.ts',
    // a file of rules is taken apart by places
    'prompts/json-text.ts',
    // mending a journal is done where no hub runs, under its lock
    'server/clock.ts',
    'storage/embedded/journal-repair.ts',
    'storage/embedded/lock.ts',
    'zod',
    'node:*',
  ],
} as const satisfies Record<string, readonly string[]>;

/** What only some places may do, whatever their room. A place that ends in `/` is a folder. */
const RESERVED = [
  {
    what: 'import node:child_process',
    pattern: /'(?:node:)?child_process'/,
    only: ['runners/', 'server/connect.ts', 'cli/attach.ts'],
  },
  // the demo agent is an agent: it gets the address and the token of its hub as every agent does
  {
    what: 'read process.env',
    pattern: /process\.env|\{[^}]*\benv\b[^}]*\} = process\b/,
    only: ['server/config.ts', 'runners/demo-agent.ts'],
  },
  { what: 'read process.argv', pattern: /process\.argv/, only: ['runners/demo-agent.ts', 'cli/'] },
  { what: 'print with console.log', pattern: /console\.(?:log|info|debug|table)\(/, only: ['cli/'] },
  {
    what: 'ask the machine for the time',
    pattern: /Date\.now\(|new Date\(\)|performance\.now\(/,
    only: ['tools/', 'resources/', 'prompts/', 'storage/', 'runners/', 'server/', 'client/', 'cli/'],
  },
  {
    what: 'ask the machine for chance',
    pattern: /Math\.random\(|randomUUID\(|randomBytes\(/,
    only: ['storage/', 'runners/', 'server/', 'client/', 'cli/'],
  },
  // it starts processes, prints, and changes the working folder; elsewhere its types are enough
  {
    what: 'run code of channelcoder',
    pattern: /^(?:import|export) (?!type\b)[^;]*\bfrom 'channelcoder'|\bimport\(\s*'channelcoder'/m,
    only: ['runners/'],
  },
];

const NAMELESS = ['utils', 'helpers', 'common', 'types', 'services', 'managers'];
const MOST_LINES = 400;
const IMPORTS = /(?:\bfrom\s|^import\s|\bimport\()\s*'([^'\n]+)'/gm;

/** Every breach in one file of the product, each in a sentence. */
function breaches(file: string, text: string): string[] {
  const room = file.split('/')[0] ?? '';
  const allowed: readonly string[] = Object.entries(ROOMS).find(([name]) => name === room)?.[1] ?? [];
  const imported = [...text.matchAll(IMPORTS)].flatMap(([, name = '']) =>
    name.startsWith('.') ? [path.posix.join(path.posix.dirname(file), name)] : [name],
  );
  const strangers = imported
    .filter((name) => ![room, ...allowed].some((entry) => covers(entry, name)))
    .map((name) => `${file} must not import ${name}`);
  const reserved = RESERVED.filter(
    ({ only, pattern }) =>
      pattern.test(codeOf(text)) && !only.some((place) => file === place || (place.endsWith('/') && file.startsWith(place))),
  );
  const header = text.startsWith('// ') ? [] : [`${file} must begin with a sentence that says what it is for`];
  return [...strangers, ...reserved.map(({ what }) => `${file} must not ${what}`), ...header];
}

function covers(entry: string, name: string): boolean {
  return entry === 'node:*' ? name.startsWith('node:') : name === entry || name.startsWith(`${entry}/`);
}

/** The text without comments, which may speak of what the code must not do. */
function codeOf(text: string): string {
  return text.replace(/^\s*(?:\/\/|\/?\*).*$|\s\/\/ .*$/gm, '');
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(path.join(PROJECT, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(PROJECT, path.join(entry.parentPath, entry.name)));
}

async function typescriptOf(folders: readonly string[]): Promise<{ file: string; text: string }[]> {
  const files = (await Promise.all(folders.map(filesBelow))).flat().filter((file) => file.endsWith('.ts'));
  return Promise.all(files.map(async (file) => ({ file, text: await readFile(path.join(PROJECT, file), 'utf8') })));
}

const ROOM_NAMES = Object.keys(ROOMS);
const AROUND = ['test', 'bench', 'docs', 'examples'];

describe('the product', () => {
  it('keeps to its rooms', async () => {
    const sources = await typescriptOf(ROOM_NAMES);
    expect(sources.length).toBeGreaterThan(80);
    expect(sources.flatMap(({ file, text }) => breaches(file, text))).toEqual([]);
  });

  it('has no folder whose name says nothing', async () => {
    const files = (await Promise.all([...ROOM_NAMES, ...AROUND].map(filesBelow))).flat();
    const nameless = files.filter((file) =>
      path
        .dirname(file)
        .split('/')
        .some((folder) => NAMELESS.includes(folder)),
    );
    expect(nameless.map((file) => `${file} lies in a folder whose name says nothing`)).toEqual([]);
  });

  it('has no file that is too long to be one thing', async () => {
    const sources = await typescriptOf([...ROOM_NAMES, ...AROUND]);
    const long = sources
      .map(({ file, text }) => ({ file, lines: text.split('\n').length - 1 }))
      .filter(({ lines }) => lines >= MOST_LINES);
    expect(long.map(({ file, lines }) => `${file} has ${lines} lines; fewer than ${MOST_LINES} are allowed`)).toEqual([]);
  });

  it('has no room that the table does not know', async () => {
    const folders = (await readdir(PROJECT, { withFileTypes: true })).filter(
      (entry) => entry.isDirectory() && !entry.name.startsWith('.'),
    );
    const known = [...ROOM_NAMES, ...AROUND, 'dist', 'node_modules', 'coverage'];
    expect(folders.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe('a breach is told', () => {
  const H = '// What it is for.\n';
  it.each([
    ['core/orchestrator.ts', `${H}import { readFile } from 'node:fs';`, 'core/orchestrator.ts must not import node:fs'],
    ['core/a.ts', `${H}import type { X } from '../storage/x.ts';`, 'core/a.ts must not import storage/x.ts'],
    ['core/a.ts', `${H}import {\n  one,\n  two,\n} from 'p-queue';`, 'core/a.ts must not import p-queue'],
    ['core/a.ts', `${H}const at = Date.now();`, 'core/a.ts must not ask the machine for the time'],
    ['core/a.ts', `${H}const id = Math.random();`, 'core/a.ts must not ask the machine for chance'],
    ['tools/a.ts', `${H}export { x } from '../server/mcp.ts';`, 'tools/a.ts must not import server/mcp.ts'],
    ['tools/a.ts', `${H}import path from 'node:path';`, 'tools/a.ts must not import node:path'],
    ['resources/a.ts', `${H}await import('../tools/index.ts');`, 'resources/a.ts must not import tools/index.ts'],
    ['storage/a.ts', `${H}import { spawn } from 'node:child_process';`, 'storage/a.ts must not import node:child_process'],
    [
      'server/a.ts',
      `${H}import { Client } from '@modelcontextprotocol/client';`,
      'server/a.ts must not import @modelcontextprotocol/client',
    ],
    [
      'runners/a.ts',
      `${H}import { Server } from '@modelcontextprotocol/server';`,
      'runners/a.ts must not import @modelcontextprotocol/server',
    ],
    ['cli/a.ts', `${H}import { startHub } from '../server/hub.ts';`, 'cli/a.ts must not import server/hub.ts'],
    ['server/a.ts', `${H}const home = process.env.HOME;`, 'server/a.ts must not read process.env'],
    ['server/a.ts', `${H}const { env } = process;`, 'server/a.ts must not read process.env'],
    ['storage/a.ts', `${H}import { session } from 'channelcoder';`, 'storage/a.ts must not run code of channelcoder'],
    ['storage/a.ts', `${H}await import('channelcoder');`, 'storage/a.ts must not run code of channelcoder'],
    ['server/a.ts', `${H}console.log('hello');`, 'server/a.ts must not print with console.log'],
    ['cli/a.ts', "import { x } from './b.ts';", 'cli/a.ts must begin with a sentence that says what it is for'],
  ])('%s: %j', (file, text, sentence) => {
    expect(breaches(file, text)).toEqual([sentence]);
  });

  it.each([
    ['core/a.ts', `${H}import { z } from 'zod';\nimport { b } from './b.ts';\n// never Date.now() in here\n`],
    ['server/connect.ts', `${H}import { spawn } from 'node:child_process';\nimport { x } from '../storage/embedded/claim.ts';`],
    ['server/hub-main.ts', `${H}import { serveStdio } from '@modelcontextprotocol/server/stdio';`],
    ['cli/a.ts', `${H}console.log(process.argv);`],
    ['storage/a.ts', `${H}import type { SessionState } from 'channelcoder';`],
  ])('and %s is left in peace', (file, text) => {
    expect(breaches(file, text)).toEqual([]);
  });
});
