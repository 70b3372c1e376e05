// Templates: what they hold, what is refused with its place, and that values are data.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTemplate, renderTemplate } from '../../prompts/template.ts';
import { problemsIn } from '../support/situations.ts';

const known = ['a', 'b', 'task.title'];
const check = (name: string) => (known.includes(name) ? undefined : `There is no variable {{${name}}}.`);
function render(text: string, values: Readonly<Record<string, string>>, most = 1000): string | undefined {
  const template = readTemplate(text, check);
  if ('problem' in template) throw new Error(`${template.problem.at} ${template.problem.message}`);
  return renderTemplate(template.parts, (name) => values[name] ?? '', most);
}
const problem = (text: string) => {
  const template = readTemplate(text, check);
  return 'problem' in template ? `${template.problem.at} ${template.problem.message}` : undefined;
};

describe('a template', () => {
  it.each([
    ['plain { text } }}', {}, 'plain { text } }}'],
    ['{{a}}, {{ b }}!', { a: 'one', b: 'two' }, 'one, two!'],
    ['[{{a}}]', {}, '[]'],
    ['\\{{a}} {{a}}', { a: 'x' }, '{{a}} x'],
    ['{{#a}}has {{a}}{{/a}}{{^a}}none{{/a}}', { a: 'x' }, 'has x'],
    ['{{#a}}has {{a}}{{/a}}{{^a}}none{{/a}}', {}, 'none'],
    ['{{#a}}{{#b}}both{{/b}}{{^b}}one{{/b}}{{/a}}', { a: 'x' }, 'one'],
    ['one\n{{#a}}\ntwo\n{{/a}}\nthree', { a: 'x' }, 'one\ntwo\nthree'],
    ['one\n  {{#a}}  \ntwo\n{{/a}}\nthree', {}, 'one\nthree'],
    ['one {{#a}}\ntwo{{/a}}', { a: 'x' }, 'one \ntwo'],
    ['{{a}}\n{{b}}', { a: 'x', b: 'y' }, 'x\ny'],
  ])('%j with %j is %j', (text, values, rendered) => {
    expect(render(text, values)).toBe(rendered);
  });

  it.each([
    ['{{c}}', '0 There is no variable {{c}}.'],
    ['a {{#c}}{{/c}}', '2 There is no variable {{c}}.'],
    ['a {{b', '2 The braces {{ are not closed; write \\{{ where they are meant as they are.'],
    ['{{> a-rule}}', '0 A template cannot include another, nor itself.'],
    ['{{{a}}}', expect.stringMatching(/^0 \{\{\{ is nothing that a template can hold/)],
    ['{{! a}}', expect.stringMatching(/^0 \{\{! is nothing that a template can hold/)],
    ['{{a b}}', '0 Between {{ and }} stands the name of a variable, such as task.title.'],
    ['{{}}', '0 Between {{ and }} stands the name of a variable, such as task.title.'],
    ['{{#a}}', '0 The section {{#a}} is not closed.'],
    ['{{/a}}', '0 {{/a}} closes a section that is not open.'],
    ['{{#a}}{{/b}}', '6 {{/b}} closes a section that is not open; {{/a}} is due.'],
    [`${'{{#a}}'.repeat(11)}${'{{/a}}'.repeat(11)}`, '60 Sections lie deeper than 10 levels in each other.'],
    ['{{a}}'.repeat(2001), '10000 There are more than 2000 variables.'],
  ])('%j is refused: %s', (text, told) => {
    expect(problem(text)).toEqual(told);
  });

  it('stops when it would be longer than it may be', () => {
    expect(render('{{a}}', { a: 'x'.repeat(10) }, 10)).toBe('x'.repeat(10));
    expect(render('{{a}}!', { a: 'x'.repeat(10) }, 10)).toBeUndefined();
    expect(render('{{a}}'.repeat(2000), { a: 'x'.repeat(1_000_000) }, 10)).toBeUndefined();
  });

  it('puts in every value as it is, whatever it holds', () => {
    const nasty = fc.oneof(
      fc.string(),
      fc.constantFrom('{{a}}', '{{#b}}', '{{/a}}', '\\{{', '$&', '$1', '{{> a}}', '---\nid: x\n---'),
    );
    fc.assert(
      fc.property(nasty, nasty, (a, b) => {
        expect(render('<{{a}}|{{b}}>', { a, b })).toBe(`<${a}|${b}>`);
      }),
    );
  });

  it('is read or refused, and never breaks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('{{', '}}', '#', '^', '/', '>', 'a', 'b', ' ', '\n', '\\', '{', 'task.title'), {
          maxLength: 30,
        }),
        (bits) => {
          const template = readTemplate(bits.join(''), check);
          if ('parts' in template) expect(renderTemplate(template.parts, () => 'x', 1000)).toBeTypeOf('string');
          else expect(template.problem.message).toMatch(/\.$/);
        },
      ),
    );
  });
});

describe('a rule whose text names what is not there', () => {
  it.each([
    ['---\n---\nHello {{task.tilte}}.\n', '3:7 There is no variable {{task.tilte}}. Did you mean {{task.title}}?'],
    [
      '---\nname: x\n---\n\n\nHello.\n  {{task.severity}}\n',
      '7:3 There is no variable {{task.severity}}. A key of your own is {{task.fields.severity}}.',
    ],
    ['---\n---\n{{args.focus}}\n', '3:1 There is no variable {{args.focus}}. Name it under `arguments`.'],
    [
      '---\npromptTemplate: "Hello {{nobody}}"\n---\n',
      '2:17 There is no variable {{nobody}}. docs/prompts.md lists the variables.',
    ],
    [
      '---\narguments: [{ name: focus }]\n---\n{{args.focsu}}\n',
      '4:1 There is no variable {{args.focsu}}. Name it under `arguments`.',
    ],
  ])('%j is told with line and column', (text, told) => {
    expect(problemsIn(text)).toEqual([told]);
  });
});
