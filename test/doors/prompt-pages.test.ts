// The commands in the pages on prompts, run as they stand there, in a workspace with what the pages show.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sc } from '../support/clients.ts';
import { PROJECT } from '../support/project.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const blocksOf = async (page: string, language: string) => {
  const text = await readFile(path.join(PROJECT, 'docs', page), 'utf8');
  const blocks = text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'));
  return [...blocks].map(([, block = '']) => block);
};
const commands = async (page: string) =>
  (await blocksOf(page, 'sh')).flatMap((block) => block.split('\n')).filter((line) => line.startsWith('sc '));
const inPages = { 'prompts.md': await commands('prompts.md'), 'prompts-mcp.md': await commands('prompts-mcp.md') };

let workspace: Workspace;
beforeAll(async () => {
  workspace = await makeWorkspace({
    tasks: { 'fix-login': '# Fix the login\n\n---\ntype: bug\nstatus: todo\n---\n\n## Instruction\n\nFix it.\n' },
    userConfig: { defaultAgent: 'demo' },
  });
  const [rule = ''] = await blocksOf('prompts.md', 'markdown');
  const [json = ''] = await blocksOf('prompts.md', 'json');
  const folder = path.join(workspace.path, '.scopecraft', 'prompts');
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'bug-debugging-rule.md'), rule);
  await writeFile(path.join(workspace.path, 'rules.json'), json.replace('"bug-debugging-rule"', '"imported-rule"'));
});
afterAll(() => workspace?.close());

describe('the pages on prompts', () => {
  it('have commands', () => {
    expect(inPages['prompts.md'].length).toBeGreaterThanOrEqual(3);
    expect(inPages['prompts-mcp.md'].length).toBeGreaterThanOrEqual(2);
  });

  it.each(Object.values(inPages).flat())('show a command that works: %s', async (line) => {
    const { code, stdout, stderr } = await sc(line.split(' ').slice(1), { env: workspace.env, cwd: workspace.path });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.trim()).not.toBe('');
  });

  it('have changed what they say', async () => {
    const { stdout } = await sc(['rule', 'list', '--format=json'], { env: workspace.env, cwd: workspace.path });
    const { rules }: { rules: { rule: string; enabled: boolean; priority: number }[] } = JSON.parse(stdout);
    expect(rules).toContainEqual(expect.objectContaining({ rule: 'default', enabled: false }));
    expect(rules).toContainEqual(expect.objectContaining({ rule: 'imported-rule', priority: 10 }));
    // it was a dry run
    expect(rules).toContainEqual(expect.objectContaining({ rule: 'bug-debugging-rule', priority: 10 }));
  });
});
