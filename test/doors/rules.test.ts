// Prompt rules from outside: files that a person writes, what sessions are then told, and the calls and commands about rules.
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
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
  it('show what a session on a task would be told, and by which rule', async () => {
    const told = '@@say by the rule about Fix the login';
    expect((await sc(['prompt', 'preview', 'fix-login'], at())).stdout).toMatch(new RegExp(`^${told}\n\nRULE .*\nbug `));
    const got = await sc(['prompt', 'get', 'bug', '--arguments=taskId=fix-login'], at());
    expect(got.stdout.trim()).toBe(`${told}\n\nThe prompt bug.`);
  });

  it('show what a change would do before it is done', async () => {
    const dry = await sc(['rule', 'set', 'bug', '--no-enabled', '--dry-run'], at());
    expect(dry.stdout).toMatch(/TASK +NOW +THEN.*\n *fix-login +bug +default/);
    expect(dry.stdout).toContain('Rule bug would be written; sessions on 1 of 3 tasks would begin with something else.');
    expect(dry.stdout).toContain('value: bug }\nenabled: false\n---\n@@say by the rule');
    expect(await fileOf('bug.md')).toBe(BUG);
    await sc(['rule', 'set', 'bug', '--no-enabled'], at());
    expect(await fileOf('bug.md')).toBe(BUG.replace('value: bug }\n', 'value: bug }\nenabled: false\n'));
    expect(await client.call('prompt_preview', { taskId: 'fix-login' })).toMatchObject({ rule: 'default' });
    expect((await sc(['rule', 'delete', 'bug'], at())).code).toBe(0);
    expect(await readdir(folder)).not.toContain('bug.md');
  });

  describe('import rules in the JSON form', () => {
    const file = () => path.join(workspace.root, 'rules.json');
    const rule = (id: string, operator = 'equals') => ({
      id,
      name: id,
      conditions: [{ field: 'type', operator, value: 'bug' }],
      promptTemplate: `Say ${id}.`,
      priority: 1,
      enabled: true,
    });
    const imported = async (rules: unknown, ...more: readonly string[]) => {
      await writeFile(file(), typeof rules === 'string' ? rules : JSON.stringify(rules, null, 2));
      return sc(['rule', 'import', file(), ...more], at());
    };

    it('none where one is wrong, which is told of by its place in the file', async () => {
      const refused = await imported([rule('one'), rule('two', 'resembles')]);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain(
        `Rule "two" in "${file()}" cannot be read. Line 22, column 21: There is no operator "resembles".`,
      );
      const inOneLine = await imported(JSON.stringify([rule('two', 'resembles')]));
      const column = JSON.stringify([rule('two', 'resembles')]).indexOf('"resembles"') + 1;
      expect(inOneLine.stderr).toContain(`Line 1, column ${column}: There is no operator "resembles".`);
      expect((await imported('[{ "id": "one" ')).stderr).toContain(
        'is no JSON file. Line 1, column 16: The JSON ends too early.',
      );
      expect((await imported([rule('one'), { name: 'x' }])).stderr).toContain('holds what is no rule at line 16');
      expect((await imported([rule('one'), rule('one')])).stderr).toContain('has two rules "one"; the second is at line 16.');
      expect(await readdir(folder)).not.toContain('one.md');
    });

    it('all where they are right, and none on a dry run', async () => {
      const dry = await imported([rule('one'), rule('two')], '--dry-run');
      expect(dry.stdout).toContain('Rule two would be written;');
      expect(await readdir(folder)).not.toContain('one.md');
      const done = await imported(`\uFEFF${JSON.stringify([rule('one'), rule('two')])}`);
      expect(done.stdout).toContain('Rule one is written;');
      expect(await fileOf('two.md')).toContain('conditions:\n  - { field: type, operator: equals, value: bug }\n---\nSay two.\n');
    });

    it('and says which are there where a disk fault came in between', async () => {
      // no file can be put in the place of a folder
      await mkdir(path.join(folder, 'four.md'));
      const broken = await imported([rule('three'), rule('four'), rule('five')], '--format=json');
      expect(broken.code).toBe(75);
      const told = z.looseObject({ message: z.string(), details: z.looseObject({}) }).parse(JSON.parse(broken.stderr));
      expect(told.message).toContain('1 of 3 rules was written (three), not: four, five.');
      expect(told.details).toMatchObject({ written: ['three'], left: ['four', 'five'] });
      expect(await readdir(folder)).toContain('three.md');
      expect(await readdir(folder)).not.toContain('five.md');
      await rmdir(path.join(folder, 'four.md'));
      expect((await imported([rule('three'), rule('four'), rule('five')])).code).toBe(0);
      for (const name of ['one', 'two', 'three', 'four', 'five']) await sc(['rule', 'delete', name], at());
    });

    it('keep a rule that lies in the folder as JSON in that form', async () => {
      await put('six.json', JSON.stringify(rule('six')));
      expect(await client.call('rule_list', {})).toMatchObject({
        rules: expect.arrayContaining([expect.objectContaining({ rule: 'six', file: '.scopecraft/prompts/six.json' })]),
      });
      expect((await imported({ ...rule('six'), priority: 7 })).code).toBe(0);
      expect(JSON.parse(await fileOf('six.json'))).toEqual({ ...rule('six'), priority: 7 });
      expect((await sc(['rule', 'delete', 'six'], at())).code).toBe(0);
      expect(await readdir(folder)).not.toContain('six.json');
    });

    it('and explain themselves', async () => {
      const group = await sc(['rule', '--help'], at());
      expect(group).toMatchObject({ code: 0, stdout: expect.stringMatching(/rule delete .*\n[\s\S]*rule import /) });
      expect(await sc(['rule', 'import', '--help'], at())).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('--dry-run'),
      });
      expect((await sc(['rule', 'import'], at())).stderr).toContain('Name one file');
      expect((await sc(['rule', 'import', file(), '--format=xml'], at())).stderr).toContain('must be table or json, not "xml"');
      expect((await sc(['rule', 'import', file(), '--dry-rum'], at())).stderr).toContain('Did you mean "--dry-run"?');
      expect((await sc(['rule'], at())).stderr).toContain('rule import');
    });
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
