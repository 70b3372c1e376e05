// Prompt rules from outside: files that a person writes, what sessions are then told, and the calls and commands about rules.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connect, sc, type TestClient } from '../support/clients.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const task = (type: string) => `# Fix the login\n\n---\ntype: ${type}\nstatus: todo\n---\n\n## Instruction\n\n@@say done\n`;
const BUG =
  '---\npriority: 10\nconditions:\n  - { field: type, operator: equals, value: bug }\n---\n@@say by the rule about {{task.title}}\n';
const Rows = z.array(z.looseObject({ rule: z.string(), fits: z.boolean(), why: z.string() }));

let workspace: Workspace;
let client: TestClient;
let folder: string;

beforeAll(async () => {
  workspace = await makeWorkspace({
    tasks: { 'fix-login': task('bug'), other: task('feature') },
    userConfig: { defaultAgent: 'demo' },
  });
  folder = path.join(workspace.path, '.scopecraft', 'prompts');
  await mkdir(folder, { recursive: true });
  client = await connect('modern', at());
});
afterAll(async () => {
  await client?.close();
  await workspace?.close();
});

const at = () => ({ env: workspace.env, cwd: workspace.path });
const put = (name: string, text: string) => writeFile(path.join(folder, name), text);
const fileOf = (name: string) => readFile(path.join(folder, name), 'utf8');

async function ran(args: Readonly<Record<string, unknown>>) {
  const { id } = z.looseObject({ id: z.string() }).parse(await client.call('session_start', { ...args }));
  await client.call('session_wait', { sessionIds: [id], until: 'all', timeoutSeconds: 40 });
  return client.call('session_get', { sessionId: id });
}

describe('rules', () => {
  it('choose what an agent is told, as soon as their file is there, and the session remembers which it was', async () => {
    expect(await ran({ taskId: 'fix-login' })).toMatchObject({ result: 'done', rule: { id: 'default' } });
    await put('bug.md', BUG);
    const preview = await client.call('prompt_preview', { taskId: 'fix-login' });
    expect(preview).toMatchObject({ rule: 'bug', moment: 'start', text: '@@say by the rule about Fix the login' });
    const rows = Rows.parse(preview.rules);
    expect(rows.slice(0, 2)).toMatchObject([
      { rule: 'bug', fits: true, place: 1, why: 'yes: type equals "bug"; there is "bug"' },
      { rule: 'default', fits: true, place: 2, why: 'yes: it has no conditions' },
    ]);
    expect(rows.slice(2).every(({ fits }) => !fits)).toBe(true);
    expect(await ran({ taskId: 'fix-login' })).toMatchObject({
      result: 'by the rule about Fix the login',
      rule: { id: 'bug', version: preview.version },
    });
    expect(await ran({ taskId: 'other' })).toMatchObject({ result: 'done', rule: { id: 'default' } });
  });

  it('are said by name, also to a session that has settled, and hold what the caller gave', async () => {
    await put(
      'named.md',
      '---\nenabled: false\nmoments: [continue]\narguments: [{ name: word, required: true }]\n---\n@@say {{args.word}} for {{session.id}}\n',
    );
    const first = z.looseObject({ id: z.string() }).parse(await ran({ taskId: 'other' }));
    await client.call('session_prompt', { sessionId: first.id, rule: 'named', arguments: ['word=more'], timeoutSeconds: 0 });
    await client.call('session_wait', { sessionIds: [first.id], until: 'all', timeoutSeconds: 40 });
    expect(await client.call('session_get', { sessionId: first.id })).toMatchObject({ result: `more for ${first.id}` });
    await expect(client.call('session_prompt', { sessionId: first.id })).rejects.toThrow('Give either "prompt" or "rule".');
    await expect(client.call('session_prompt', { sessionId: first.id, rule: 'named' })).rejects.toThrow(
      'needs a value for: word',
    );
  });

  it('of kind session are templates for starts', async () => {
    await put('nightly-fix.md', '---\nkind: session\npriority: low\nlabel: nightly\n---\n@@say mended\n');
    const { stdout } = await sc(['session', 'start', '--template=nightly-fix', '--format=json'], at());
    const { id } = z.looseObject({ id: z.string() }).parse(JSON.parse(stdout));
    await client.call('session_wait', { sessionIds: [id], until: 'all', timeoutSeconds: 40 });
    expect(await client.call('session_get', { sessionId: id })).toMatchObject({
      priority: 'low',
      label: 'nightly',
      result: 'mended',
    });
  });

  it('are suggested for a session that stands at its prompt', async () => {
    const { id } = z
      .looseObject({ id: z.string() })
      .parse(await client.call('session_start', { taskId: 'other', type: 'interactive' }));
    const waited = await client.call('session_wait', { sessionIds: [id], timeoutSeconds: 45 });
    const suggestions = [{ rule: 'next-step', name: 'Next step', prompt: expect.stringContaining('Name the next open step') }];
    expect(waited.sessions).toMatchObject([{ status: 'waiting', suggestions }]);
    expect(await client.call('session_get', { sessionId: id })).toMatchObject({ suggestions });
    await client.call('session_cancel', { sessionId: id });
    await client.call('session_wait', { sessionIds: [id], until: 'all', timeoutSeconds: 40 });
  });
});

describe('the commands about rules', () => {
  it('show what a change would do before it is done', async () => {
    const dry = await sc(['rule', 'set', 'bug', '--no-enabled', '--dry-run'], at());
    expect(dry.stdout).toMatch(/TASK +NOW +THEN.*\n *fix-login +bug +default/);
    expect(dry.stdout).toContain('Rule bug would be written; sessions on 1 of 3 tasks would begin with something else.');
    expect(await fileOf('bug.md')).toBe(BUG);
    await sc(['rule', 'set', 'bug', '--no-enabled'], at());
    expect(await fileOf('bug.md')).toBe(BUG.replace('value: bug }\n', 'value: bug }\nenabled: false\n'));
    expect(await client.call('prompt_preview', { taskId: 'fix-login' })).toMatchObject({ rule: 'default' });
    expect((await sc(['rule', 'delete', 'bug'], at())).code).toBe(0);
    expect(await readdir(folder)).not.toContain('bug.md');
  });

  it('import rules in the JSON form, all or none', async () => {
    const rule = (id: string, operator = 'equals') => ({
      id,
      name: id,
      conditions: [{ field: 'type', operator, value: 'bug' }],
      promptTemplate: `Say ${id}.`,
      priority: 1,
      enabled: true,
    });
    const file = path.join(workspace.root, 'rules.json');
    await writeFile(file, JSON.stringify([rule('one'), rule('two', 'resembles')]));
    const refused = await sc(['rule', 'import', file], at());
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('Rule "two" cannot be read. Line 7, column');
    expect(refused.stderr).toContain('There is no operator "resembles".');
    expect(await readdir(folder)).not.toContain('one.md');
    await writeFile(file, JSON.stringify([rule('one'), rule('two')]));
    const done = await sc(['rule', 'import', file], at());
    expect(done.stdout).toContain('Rule one is written;');
    expect(await fileOf('two.md')).toContain('conditions:\n  - { field: type, operator: equals, value: bug }\n---\nSay two.\n');
  });

  it('tell of a file that was skipped, with its place, with and without a hub', async () => {
    await put('broken.md', '---\nprioritty: 1\n---\nSay.\n');
    const told = 'There is no key "prioritty". Did you mean "priority"?';
    const listed = await sc(['rule', 'list'], at());
    expect(listed.stdout).toMatch(/\.scopecraft\/prompts\/broken\.md +2 +1 +There is no key "prioritty"/);
    expect(listed.stdout).toMatch(/default +prompt +true +-1000/);
    expect(await client.call('rule_list', {})).toMatchObject({
      problems: [{ file: '.scopecraft/prompts/broken.md', line: 2, column: 1, message: told }],
    });
    const doctor = await sc(['doctor'], at());
    expect(doctor.stdout).toContain(`skipped: .scopecraft/prompts/broken.md:2:1: ${told}`);
  });
});
