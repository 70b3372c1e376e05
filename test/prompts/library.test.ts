// The book of rules on a real folder: what is read, read again, written and told, and what is skipped.
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRuleBook } from '../../prompts/library.ts';
import { createRuleFiles } from '../../storage/rule-files.ts';
import { type FakeClock, fakeClock } from '../support/fake-clock.ts';
import { situationOf } from '../support/situations.ts';

let root: string;
let folder: string;
let clock: FakeClock;
const errors: unknown[] = [];

beforeEach(async () => {
  root = await realpath(await mkdtemp(path.join(tmpdir(), 'rules-')));
  folder = path.join(root, 'w', '.scopecraft', 'prompts');
  await mkdir(folder, { recursive: true });
  clock = fakeClock();
  errors.length = 0;
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
  expect(errors).toEqual([]);
});

const book = () =>
  createRuleBook({ files: createRuleFiles(path.join(root, 'w')), clock, onError: (error) => errors.push(error) });
const put = (name: string, text: string) => writeFile(path.join(folder, name), text);
const get = (name: string) => readFile(path.join(folder, name), 'utf8');
const RULE =
  '---\n# for bugs alone\nname: Bugs   # as people call them\npriority: 10\n\nconditions:\n  - { field: type, operator: equals, value: bug }\n---\n\nFocus on {{task.title}}.\n';

async function opened() {
  const rules = book();
  await rules.refresh();
  return rules;
}

describe('the book', () => {
  it('has built-in rules before anything is read, all of them in order', async () => {
    const rules = book();
    expect(rules.list().map(({ id }) => id)).toEqual(['default', 'go-on', 'next-step', 'other-way', 'review', 'wrap-up']);
    expect(rules.list().every(({ file }) => file === undefined)).toBe(true);
    await rm(folder, { recursive: true });
    await rules.refresh();
    expect(rules.problems()).toEqual([]);
  });

  it('reads the Markdown files of the workspace, whose ids win over built-in ones', async () => {
    await put('bugs.md', RULE);
    await put('default.md', '---\n---\nDo {{task.title}}.\n');
    await put('notes.txt', 'no rule');
    await put('.bugs.md.swp.md', 'no rule');
    const rules = await opened();
    expect(rules.problems()).toEqual([]);
    expect(rules.get('bugs')).toMatchObject({ name: 'Bugs', priority: 10, specificity: 1, file: '.scopecraft/prompts/bugs.md' });
    expect(rules.get('default')?.template).toBe('Do {{task.title}}.');
    expect(rules.builtIn('default')?.template).toContain('Work on this task');
  });

  it('skips a file that does not parse, says where and why, and goes on with the others', async () => {
    await put('a.md', '---\nname: [x\n---\nSay.\n');
    await put(
      'b.md',
      '---\nprioritty: 1\nmoments: [begin]\nconditions:\n  - { field: type, operator: equal, value: bug }\n---\nSay.\n',
    );
    await put('c.md', '---\nconditions:\n  - { field: type, operator: equal, value: bug }\n---\nSay.\n\n {{task.tilte}}\n');
    await put('d d.md', '---\n---\nSay.\n');
    await put('good.md', RULE);
    await put('twin.md', '---\nid: good\n---\nSay.\n');
    const rules = await opened();
    expect(
      rules.problems().map(({ file, line, column, message }) => `${path.basename(file)}:${line}:${column} ${message}`),
    ).toEqual([
      expect.stringMatching(/^a\.md:3:1 The front matter is no YAML: /),
      'b.md:3:11 "moments.0" must be one of: start, middle, continue, review.',
      'b.md:2:1 There is no key "prioritty". Did you mean "priority"?',
      'c.md:3:30 There is no operator "equal". Did you mean "equals"?',
      'c.md:7:2 There is no variable {{task.tilte}}. Did you mean {{task.title}}?',
      'd d.md:1:1 The name of the file is no rule id; give it an "id" of letters, digits, - and _.',
      'twin.md:1:1 Its id "good" is that of good.md too; it is left out.',
    ]);
    expect(rules.get('good')?.name).toBe('Bugs');
  });

  it('does not read a file of 5 MB, nor one that lies outside of the workspace', async () => {
    await put('large.md', `---\n---\n${'x'.repeat(5_000_000)}`);
    await writeFile(path.join(root, 'secret.md'), RULE);
    await symlink(path.join(root, 'secret.md'), path.join(folder, 'link.md'));
    const rules = await opened();
    expect(rules.problems().map(({ message }) => message)).toEqual([
      'The file has 5000008 bytes; a rule has at most 65536.',
      '".scopecraft/prompts/link.md" leads out of the workspace.',
    ]);
    expect(rules.get('link')).toBeUndefined();
  });

  it('reads again what changed, and only when it is asked to', async () => {
    await put('bugs.md', RULE);
    const rules = await opened();
    const before = rules.get('bugs');
    await rules.refresh();
    expect(rules.get('bugs')).toBe(before);
    await put('bugs.md', RULE.replace('Focus on', 'Look closely at'));
    expect(rules.get('bugs')).toBe(before);
    await rules.refresh();
    expect(rules.get('bugs')?.template).toBe('Look closely at {{task.title}}.');
    expect(rules.get('bugs')?.version).not.toBe(before?.version);
    await rm(path.join(folder, 'bugs.md'));
    await rules.refresh();
    expect(rules.get('bugs')).toBeUndefined();
  });

  it('gives a rule another version when it says something else, not when it ranks otherwise', async () => {
    await put('bugs.md', RULE);
    const rules = await opened();
    const version = rules.get('bugs')?.version;
    expect(version).toMatch(/^[0-9a-f]{12}$/);
    const versionOf = async (text: string) => (await rules.read('bugs', text)).version;
    expect(await versionOf(RULE.replace('10', '11').replace('name: Bugs', 'name: Others'))).toBe(version);
    expect(await versionOf(RULE.replace('name:', 'model: opus\nname:'))).not.toBe(version);
    expect(await versionOf(RULE.replace('Focus', 'Look'))).not.toBe(version);
  });

  it('tells who listens when files changed, and looks no more when nobody does', async () => {
    const rules = await opened();
    let told = 0;
    let seen = 0;
    const looks = (most: number) => {
      if (seen < most) clock.advance(2000);
      seen += 1;
      return Math.min(seen, most);
    };
    const end = rules.onChange(() => told++);
    await put('bugs.md', RULE);
    clock.advance(2000);
    await expect.poll(() => told).toBe(1);
    expect(rules.get('bugs')?.name).toBe('Bugs');
    // nothing changed at the next looks
    await expect.poll(() => looks(3)).toBe(3);
    expect(told).toBe(1);
    end();
    await put('more.md', RULE);
    await rules.refresh();
    expect(told).toBe(1);
  });
});

describe('what a rule says', () => {
  const situation = situationOf({
    title: 'Fix {{the}} login',
    fields: { severity: 'high', tags: ['a', 'b'] },
    branch: 'fix',
    history: '- one: failed',
  });

  it('holds the values of the situation, as they are', async () => {
    await put(
      'all.md',
      '---\narguments: [{ name: focus, required: true }, { name: more }]\n---\n{{task.title}} {{task.fields.severity}} {{task.tags}} {{branch}} {{history}} {{args.focus}}{{#args.more}}!{{/args.more}}\n',
    );
    const rules = await opened();
    const rule = rules.get('all') ?? expect.fail('the rule is not there');
    expect(rules.render(rule, situation, { focus: '{{task.id}}' })).toBe(
      'Fix {{the}} login high a, b fix - one: failed {{task.id}}',
    );
    expect(() => rules.render(rule, situation)).toThrow('Rule "all" needs a value for: focus.');
    expect(() => rules.render(rule, situation, { focus: 'x', fokus: 'y' })).toThrow(
      'Rule "all" takes no argument "fokus". It takes: focus, more.',
    );
  });

  it('has the task below it where the text does not speak of it, and only at a start', async () => {
    await put('short.md', '---\nmoments: [start, middle]\n---\nFocus.\n');
    const rules = await opened();
    const rule = rules.get('short') ?? expect.fail('the rule is not there');
    expect(rules.render(rule, situation)).toBe('Focus.\n\n# Fix {{the}} login\n\nTask id: fix-login\n\nIt is broken.');
    expect(rules.render(rule, { ...situation, moment: 'middle' })).toBe('Focus.');
  });

  it('has an end', async () => {
    await put('endless.md', `---\n---\n${'{{task.body}}'.repeat(1000)}\n`);
    const rules = await opened();
    const rule = rules.get('endless') ?? expect.fail('the rule is not there');
    expect(() => rules.render(rule, situationOf({ body: 'x'.repeat(100_000) }))).toThrow(
      /^What rule "endless" says would have more than \d+ characters\.$/,
    );
  });

  it('begins with the system prompt of a prompt file of channelcoder, whose other keys are taken as far as they mean something', async () => {
    await put(
      'cc.md',
      '---\nsystemPrompt: "You are {careful}."\nallowedTools: [Read, Grep]\ndisallowedTools: [Bash]\ninput: { topic: string }\noutput: { type: object, properties: { ok: { type: boolean } } }\nsession: { required: true }\n---\nReview {{args.topic}} of {{task.id}}.\n',
    );
    const rules = await opened();
    const rule = rules.get('cc') ?? expect.fail(JSON.stringify(rules.problems()));
    expect(rules.render(rule, situation, { topic: 'style' })).toBe('You are {careful}.\n\nReview style of fix-login.');
    expect(rule.defaults).toEqual({
      tools: ['Read', 'Grep'],
      resultSchema: '{"type":"object","properties":{"ok":{"type":"boolean"}}}',
    });
    expect(rule.notes).toEqual(['Not applied to sessions that this server starts: disallowedTools, session.']);
  });
});

describe('a change', () => {
  const changed = async (change: Parameters<ReturnType<typeof book>['compose']>[1], id = 'bugs') =>
    (await opened()).compose(id, change);

  it.each([
    [{ enabled: false }, RULE.replace('equals, value: bug }\n', 'equals, value: bug }\nenabled: false\n')],
    [{ priority: 3 }, RULE.replace('priority: 10', 'priority: 3')],
    [{ name: 'Real bugs' }, RULE.replace('name: Bugs ', 'name: Real bugs ')],
    [
      { conditions: '[{"field":"area","operator":"in","value":["ui","api"]}]' },
      RULE.replace('{ field: type, operator: equals, value: bug }', '{ field: area, operator: in, value: [ ui, api ] }'),
    ],
    [{ template: 'Say it.' }, RULE.replace('\nFocus on {{task.title}}.', 'Say it.')],
    [
      { moments: ['start', 'review'] as const },
      RULE.replace('equals, value: bug }\n', 'equals, value: bug }\nmoments: [ start, review ]\n'),
    ],
  ])('%j touches its own lines alone', async (change, text) => {
    await put('bugs.md', RULE);
    expect(await changed(change)).toBe(text);
  });

  it('that makes a rule writes a file as a person would', async () => {
    const rules = await opened();
    const text = await rules.compose('bug-debugging-rule', {
      text: JSON.stringify({
        id: 'bug-debugging-rule',
        name: 'Bug Debugging Focus',
        conditions: [
          { field: 'type', operator: 'equals', value: 'bug' },
          {
            any: [
              { field: 'status', operator: 'in', value: ['todo', 'in_progress'] },
              { not: { field: 'assignee', operator: 'exists' } },
            ],
          },
        ],
        promptTemplate: 'Focus on debugging methodically.',
        priority: 10,
        enabled: true,
      }),
    });
    await rules.write('bug-debugging-rule', text);
    expect(await get('bug-debugging-rule.md')).toBe(`---
id: bug-debugging-rule
name: Bug Debugging Focus
enabled: true
priority: 10
conditions:
  - { field: type, operator: equals, value: bug }
  - any:
      - { field: status, operator: in, value: [ todo, in_progress ] }
      - not: { field: assignee, operator: exists }
---
Focus on debugging methodically.
`);
    expect(rules.get('bug-debugging-rule')?.specificity).toBe(2);
    await rules.remove('bug-debugging-rule');
    expect(rules.get('bug-debugging-rule')).toBeUndefined();
  });

  it('of a built-in rule becomes a file of the workspace', async () => {
    const rules = await opened();
    const text = await rules.compose('default', { enabled: false });
    const rule = await rules.write('default', text);
    expect(rule).toMatchObject({ enabled: false, priority: -1000, file: '.scopecraft/prompts/default.md' });
    expect(rules.select(situationOf()).matches).toEqual([]);
  });

  it('is refused where it says nothing, two things, or what is no rule', async () => {
    await put('broken.md', '---\nx: 1\n---\nSay.\n');
    await expect(changed({ enabled: true }, 'new')).rejects.toThrow('There is no rule "new" yet');
    await expect(changed({ text: RULE, priority: 1 })).rejects.toThrow('"text" is the whole file; leave out: priority.');
    await expect(changed({ conditions: '[{', template: 'Say.' })).rejects.toThrow('"conditions" is no JSON');
    await expect(changed({ text: '{"id":"other","promptTemplate":"Say."}' })).rejects.toThrow(
      'The text says "id: other", and the call "bugs".',
    );
    await expect(changed({ enabled: false }, 'broken')).rejects.toThrow(
      /^The file of rule "broken" was skipped \(line 2: There is no key "x"/,
    );
    const rules = await opened();
    await expect(rules.write('bugs', '---\nx: 1\n---\nSay.\n')).rejects.toThrow(
      'Rule "bugs" cannot be read. Line 2, column 1: There is no key "x".',
    );
    await expect(rules.write('bugs', '---\nid: other\n---\nSay.\n')).rejects.toThrow('The text says "id: other"');
    await expect(get('bugs.md')).rejects.toThrow();
  });
});
