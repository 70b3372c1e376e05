// The generated pages are what the code says, and what is written by hand leads somewhere.
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { COMMANDS } from '../cli/command.ts';
import { LOCAL_COMMANDS } from '../cli/help.ts';
import { Config } from '../core/config.ts';
import { generatedFiles } from '../docs/pages.ts';
import { readSources, staleFiles } from '../docs/stale.ts';
import { PROJECT } from './support/project.ts';

const read = (file: string) => readFile(path.join(PROJECT, file), 'utf8');

async function writtenPages(): Promise<string[]> {
  const docs = (await readdir(path.join(PROJECT, 'docs'))).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
  return ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'core/README.md', 'examples/README.md', ...docs];
}

describe('the generated files', () => {
  it('are all as the code says; `npm run docs` writes them', async () => {
    expect((await staleFiles(PROJECT)).map(({ file }) => file)).toEqual([]);
  });

  it('are the same each time they are made', async () => {
    const sources = await readSources(PROJECT);
    expect([...generatedFiles(sources)]).toEqual([...generatedFiles(sources)]);
  });

  it('would be told stale after a change by hand', async () => {
    const readme = (await read('README.md')).replace('| [`session_start`]', '| [`session_begin`]');
    const made = generatedFiles({ ...(await readSources(PROJECT)), readme }).get('README.md');
    expect(made).not.toBe(readme);
    expect(made).toBe(await read('README.md'));
  });
});

describe('every page', () => {
  it('links only to what is there', async () => {
    const broken: string[] = [];
    for (const page of await writtenPages()) {
      for (const [, target = ''] of (await read(page)).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const isThere = await stat(path.join(PROJECT, path.dirname(page), target)).then(
          () => true,
          () => false,
        );
        if (!isThere) broken.push(`${page} → ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it('names headings that are there when it links to one of the same page', async () => {
    const broken: string[] = [];
    for (const page of await writtenPages()) {
      const text = await read(page);
      const anchors = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
        heading
          .toLowerCase()
          .replace(/[^\p{L}\p{N}\s_-]/gu, '')
          .replace(/\s/g, '-'),
      );
      for (const [, anchor = ''] of text.matchAll(/\]\(#([^)]+)\)/g))
        if (!anchors.includes(anchor)) broken.push(`${page} → #${anchor}`);
    }
    expect(broken).toEqual([]);
  });

  it('shows only commands that exist', async () => {
    const known = [...COMMANDS.map(({ words }) => words.join(' ')), ...Object.keys(LOCAL_COMMANDS), 'help'];
    const unknown: string[] = [];
    for (const page of await writtenPages()) {
      for (const [, first = '', second = ''] of (await read(page)).matchAll(/(?:^|`)sc ([a-z]+)(?: ([a-z]+))?/gm)) {
        if (!known.includes(first) && !known.includes(`${first} ${second}`)) unknown.push(`${page}: sc ${first} ${second}`);
      }
    }
    expect(unknown).toEqual([]);
  });

  it.each([
    ['threats', 'docs/security.md', 17],
    ['promises', 'docs/mcp-requirements.md', 25],
  ])('names for each of the %s in %s tests that are there', async (_what, page, count) => {
    const rows = (await read(page)).split('\n').filter((line) => /^\| \d+ \|/.test(line));
    expect(rows.map((row) => Number(row.split('|')[1]))).toEqual(Array.from({ length: count }, (_, at) => at + 1));
    for (const row of rows) {
      const files = [...(row.split('|')[row.split('|').length - 2] ?? '').matchAll(/`([^`]+)`/g)].map(([, file = '']) => file);
      expect(files.length, row).toBeGreaterThan(0);
      for (const file of files) {
        expect(file).toMatch(/^(test\/.*\.test\.ts|bench\/.*\.ts)$/);
        expect((await stat(path.join(PROJECT, file))).isFile(), file).toBe(true);
      }
    }
  });

  it('shows only settings that exist', async () => {
    const shown: string[] = [];
    for (const page of await writtenPages()) {
      for (const [, json = ''] of (await read(page)).matchAll(/^```json\n([\s\S]*?)^```/gm)) {
        const { $schema: _schema, ...values } = z.record(z.string(), z.unknown()).parse(JSON.parse(json));
        if (!('resources' in values || 'agents' in values || 'defaultAgent' in values)) continue;
        shown.push(page);
        expect(Config.safeParse(values).error, page).toBeUndefined();
      }
    }
    expect(shown).toContain('README.md');
  });
});
