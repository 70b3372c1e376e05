// Rules in the JSON form: what lies in a file of the folder, what is wrong with it and where, and changes that keep the rest as it is.
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { RuleChange } from '../../core/rules.ts';
import { readJson } from '../../prompts/json-text.ts';
import { createRuleBook } from '../../prompts/library.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { memoryRuleFiles } from '../support/memory-rules.ts';
import { situationOf } from '../support/situations.ts';

const FOLDER = '.scopecraft/prompts/';
const BUG = `{
  "id": "bug-debugging-rule",
  "name": "Bug Debugging Focus",
  "conditions": [
    { "field": "type", "operator": "equals", "value": "bug" },
    { "field": "status", "operator": "in", "value": ["todo", "in_progress"] }
  ],
  "promptTemplate": "Focus on debugging \\"methodically\\".\\nCheck {{task.title}}.",
  "priority": 10,
  "enabled": true
}
`;
const files = new Map<string, string>();
beforeEach(() => files.clear());

async function opened() {
  const book = createRuleBook({
    files: memoryRuleFiles(files),
    clock: fakeClock(),
    onError: (error) => expect.fail(String(error)),
  });
  await book.refresh();
  return book;
}
const problems = async () =>
  (await opened())
    .problems()
    .map(({ file, line, column, message }) => `${file.slice(FOLDER.length)}:${line}:${column} ${message}`);

describe('a JSON file in the folder of rules', () => {
  it('is a rule like one in Markdown', async () => {
    files.set('bug-debugging-rule.json', BUG);
    const book = await opened();
    expect(book.problems()).toEqual([]);
    const rule = book.get('bug-debugging-rule') ?? expect.fail('the rule is not there');
    expect(rule).toMatchObject({
      name: 'Bug Debugging Focus',
      priority: 10,
      specificity: 2,
      file: `${FOLDER}bug-debugging-rule.json`,
    });
    const bug = situationOf({ fields: { type: 'bug', status: '🔵 In Progress' } });
    expect(book.select(bug).matches.map(({ id }) => id)).toEqual(['bug-debugging-rule', 'default']);
    expect(book.render(rule, bug)).toBe('Focus on debugging "methodically".\nCheck Fix the login.');
    // the same rule as a Markdown file is the same version of it
    files.clear();
    files.set('as-markdown.md', await book.compose('other', { text: BUG.replace('bug-debugging-rule', 'other') }));
    expect((await opened()).get('other')?.version).toBe(rule.version);
  });

  it('has the name of its file for its id where it says none', async () => {
    files.set('short.json', '{ "promptTemplate": "Say." }');
    expect((await opened()).get('short')).toMatchObject({ template: 'Say.', priority: 0, enabled: true });
  });

  it.each([
    ['nothing', '', '1:1 The JSON ends too early.'],
    ['half of it', '{\n  "name": "x",', '2:15 The JSON ends too early.'],
    ['a comma too many', '{\n  "name": "x",\n}', '3:1 Here a key in double quotes is due.'],
    ['no quotes', '{ name: "x" }', '1:3 Here a key in double quotes is due.'],
    ['no comma', '{\n  "name": "x"\n  "priority": 1 }', '3:3 Here a comma or "}" is due.'],
    ['no value', '{ "name": , "priority": 1 }', '1:11 Here a JSON value is due.'],
    ['a comment', '{ // why\n "name": "x" }', '1:3 Here a key in double quotes is due.'],
    ['two things', '{ "promptTemplate": "Say." } {}', '1:30 Behind the JSON nothing may stand.'],
    ['a key twice', '{\n  "name": "x",\n  "name": "y"\n}', '3:3 This key stands here twice.'],
    ['a list', `[${BUG}]`, '1:1 The file holds a list; `sc rule import` makes a file of each of its rules.'],
    ['a text', '"Say."', '1:1 A rule in the JSON form is an object.'],
    ['no text', '{\n  "priority": 1\n}', '1:1 The rule says nothing: "promptTemplate" is its text.'],
    [
      'a strange key',
      '{\n  "prioritty": 1,\n  "promptTemplate": "Say."\n}',
      '2:3 There is no key "prioritty". Did you mean "priority"?',
    ],
    ['a wrong type', '{ "promptTemplate": "Say.", "enabled": "yes" }', '1:40 "enabled" must be a value of type boolean.'],
    ['a strange operator', BUG.replace('"in"', '"within"'), '6:38 There is no operator "within".'],
    ['a strange variable', BUG.replace('task.title', 'task.tilte'), '8:21 There is no variable {{task.tilte}}.'],
    [
      'an evil pattern',
      BUG.replace('"in", "value": ["todo", "in_progress"]', '"matches", "value": "(?=a)"'),
      '6:58 The pattern is none',
    ],
    ['100,000 brackets', '['.repeat(30_000), '1:122 The JSON nests too deeply.'],
    [
      'much besides its text',
      `{ "promptTemplate": "Say.", "name": "${'x'.repeat(17_000)}" }`,
      '1:1 Besides its "promptTemplate" the file has more than',
    ],
    ['too much', `{ "promptTemplate": "${'ü'.repeat(33_000)}" }`, '1:1 The file has more than 65536 bytes.'],
  ])('that holds %s is skipped and told of', async (_name, text, says) => {
    files.set('a.json', text);
    files.set('good.json', '{ "promptTemplate": "Say." }');
    const [told, ...more] = await problems();
    expect(told).toContain(`a.json:${says}`);
    expect(more).toEqual([]);
    expect((await opened()).get('good')).toBeDefined();
  });

  it('goes before a Markdown file of the same id, which is told of', async () => {
    files.set('twin.json', '{ "promptTemplate": "One." }');
    files.set('twin.md', '---\n---\nTwo.\n');
    expect(await problems()).toEqual(['twin.md:1:1 Its id "twin" is that of twin.json too; it is left out.']);
    expect((await opened()).get('twin')?.template).toBe('One.');
  });
});

describe('a change of a rule that lies in a JSON file', () => {
  const changed = async (change: RuleChange) => (await opened()).compose('bug-debugging-rule', change);

  it.each([
    [{ priority: 3 }, BUG.replace('"priority": 10', '"priority": 3')],
    [{ enabled: false }, BUG.replace('true', 'false')],
    [{ description: 'For "bugs"' }, BUG.replace('true\n}', 'true,\n  "description": "For \\"bugs\\""\n}')],
    [{ template: 'Say\nit.' }, BUG.replace(/"promptTemplate".*,/, '"promptTemplate": "Say\\nit.",')],
    [
      { conditions: '[{"field":"area","operator":"in","value":["ui","api"]},{"any":[{"field":"a","operator":"exists"}]}]' },
      BUG.replace(
        /\[\n {4}[\s\S]*?\n {2}\]/,
        '[\n    { "field": "area", "operator": "in", "value": ["ui", "api"] },\n    { "any": [{ "field": "a", "operator": "exists" }] }\n  ]',
      ),
    ],
  ])('%j touches its own place alone', async (change, text) => {
    files.set('bug-debugging-rule.json', BUG);
    expect(await changed(change)).toBe(text);
  });

  it('stays JSON when it is written, and takes a whole text in that form alone', async () => {
    files.set('bug-debugging-rule.json', BUG);
    const book = await opened();
    await book.write('bug-debugging-rule', await book.compose('bug-debugging-rule', { priority: 3 }));
    expect([...files.keys()]).toEqual(['bug-debugging-rule.json']);
    expect(book.get('bug-debugging-rule')?.priority).toBe(3);
    const whole = '{"id":"bug-debugging-rule","promptTemplate":"Say."}';
    expect(await book.compose('bug-debugging-rule', { text: whole })).toBe(`${whole}\n`);
    await expect(book.compose('bug-debugging-rule', { text: '---\n---\nSay.\n' })).rejects.toThrow('lies in a JSON file');
    await book.remove('bug-debugging-rule');
    expect([...files.keys()]).toEqual([]);
  });

  it('mends a broken file in its own place', async () => {
    files.set('bug-debugging-rule.json', '{ "name": }');
    const book = await opened();
    await expect(book.compose('bug-debugging-rule', { priority: 3 })).rejects.toThrow(
      'The file of rule "bug-debugging-rule" was skipped (line 1: Here a JSON value is due.)',
    );
    await book.write('bug-debugging-rule', await book.compose('bug-debugging-rule', { text: BUG }));
    expect(Object.fromEntries(files)).toEqual({ 'bug-debugging-rule.json': BUG });
    expect(book.problems()).toEqual([]);
  });

  it('sent as JSON is told of by the lines of that JSON', async () => {
    const book = await opened();
    await expect(book.compose('bug-debugging-rule', { text: BUG.replace('"equals"', '"equal"') })).rejects.toThrow(
      'Rule "bug-debugging-rule" cannot be read. Line 5, column 36: There is no operator "equal". Did you mean "equals"?',
    );
  });
});

describe('JSON with places', () => {
  it('is read as the language reads it, and refused where the language refuses it', () => {
    const texts = fc.oneof(
      fc.json(),
      fc.jsonValue().map((value) => JSON.stringify(value, null, 2)),
    );
    const broken = fc.tuple(texts, fc.nat(), fc.string({ maxLength: 2 })).map(([text, at, more]) => {
      const place = at % (text.length + 1);
      return `${text.slice(0, place)}${more}${text.slice(place + 1)}`;
    });
    fc.assert(
      fc.property(fc.oneof(texts, broken), (text) => {
        const read = readJson(text);
        let value: unknown;
        try {
          value = JSON.parse(text);
        } catch {
          expect('fault' in read).toBe(true);
          return;
        }
        // the one thing that is refused besides
        if ('fault' in read) expect(read.fault.message).toBe('This key stands here twice.');
        else expect(read.node.value).toEqual(value);
      }),
      { numRuns: 1000 },
    );
  });
});
