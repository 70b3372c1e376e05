// Reading front matter: which block counts, and that hostile front matter neither runs, hangs nor fills the memory.
import { describe, expect, it } from 'vitest';
import { layoutOf, readFields } from '../../storage/front-matter.ts';
import { readTask } from '../../storage/task-text.ts';
import { yamlDocument } from '../../storage/yaml-document.ts';

/** Far more than it takes, far less than quadratic time would take on these sizes. */
const LIMIT_MS = 5000;

const fieldsOf = (text: string) => readFields(text, layoutOf(text).frontMatter);
const taskOf = (text: string) => {
  const outcome = readTask('the-id', '/w/f.md', Buffer.from(text));
  return 'task' in outcome ? outcome.task : outcome;
};

function milliseconds(deed: () => void): number {
  const start = performance.now();
  deed();
  return performance.now() - start;
}

describe('front matter', () => {
  it('stands first or below the title', () => {
    expect(fieldsOf('---\na: 1\n---\ntext')).toEqual({ fields: { a: 1 } });
    expect(fieldsOf('# T\n\n---\na: 1\n---\ntext')).toEqual({ fields: { a: 1 } });
    expect(fieldsOf('\uFEFF\r\n# T\r\n---\r\na: 1\r\n---\r\n')).toEqual({ fields: { a: 1 } });
    expect(fieldsOf('--- \na: 1\n---\t\n')).toEqual({ fields: { a: 1 } });
    expect(fieldsOf('---\n---\n')).toEqual({ fields: {} });
    expect(fieldsOf('# T\n\n---\n\n# note\n\na: 1\n---\n')).toEqual({ fields: { a: 1 } });
  });

  it.each([
    ['a rule further down', 'Text\n\n---\na: 1\n---\n'],
    ['two rules around prose', '# T\n\n---\n\nProse, no key\n\n---\n'],
    ['a rule under a heading', '# T\n\n---\n\n## Section\n\n---\n'],
    ['a table row', '# T\n\n| --- |\na: 1\n| --- |\n'],
    ['a block that is never closed', '---\na: 1\n'],
    ['four dashes', '----\na: 1\n----\n'],
    ['a word behind the dashes', '---js\nmodule.exports = {}\n---\n'],
  ])('is not %s', (_, text) => {
    expect(layoutOf(text).frontMatter).toBeUndefined();
    expect(fieldsOf(text)).toEqual({ fields: {} });
  });

  it('gives ranges that are bytes in a text decoded as latin1', () => {
    const bytes = Buffer.from('\uFEFF# é\n\n---\nä: 1\n---\nx');
    const { bom, title, frontMatter, bodyStart } = layoutOf(bytes.toString('latin1'));
    expect(bom).toBe(3);
    expect(bytes.subarray(title?.start, title?.end).toString()).toBe('# é');
    expect(bytes.subarray(frontMatter?.inner.start, frontMatter?.inner.end).toString()).toBe('ä: 1\n');
    expect(bytes.subarray(frontMatter?.outer.start, frontMatter?.outer.end).toString()).toBe('---\nä: 1\n---\n');
    expect(bytes.subarray(bodyStart).toString()).toBe('x');
  });

  it('is read by the core schema: no dates, no yes, no octal by zero', () => {
    expect(fieldsOf('---\na: 2025-05-30\nb: yes\nc: 0123\nd: ~\ne: "\\u2028"\n---\n')).toEqual({
      fields: { a: '2025-05-30', b: 'yes', c: 123, d: null, e: '\u2028' },
    });
  });

  it('keeps a key named __proto__ a key', () => {
    const outcome = fieldsOf('---\n__proto__: {polluted: true}\na: 1\n---\n');
    expect(Object.getPrototypeOf('fields' in outcome ? outcome.fields : undefined)).toBe(Object.prototype);
    expect(fieldsOf('+++\n__proto__ = "x"\na = 1\n+++\n')).toMatchObject({ fields: { a: 1 } });
    expect({}).not.toHaveProperty('polluted');
  });

  it('of old files is TOML, as far as its lines are simple', () => {
    const text =
      '+++\nid = "A" # note\n"t i" = \'it\'\nn = -1.5\nd = 2025-05-01\nl = ["a", \'b\']\nb = true\nx = {y = 1}\n[t]\nid = "no"\n+++\n';
    expect(fieldsOf(text)).toEqual({ fields: { id: 'A', 't i': 'it', n: -1.5, d: '2025-05-01', l: ['a', 'b'], b: true } });
  });
});

describe('hostile front matter', () => {
  it('is never run, whatever language it names', () => {
    for (const language of ['js', 'javascript', 'coffee', 'json', ' js']) {
      const text = `---${language}\n{ hacked: (globalThis.hacked = true) }\n---\n`;
      expect(fieldsOf(text)).toEqual({ fields: {} });
    }
    fieldsOf('---\na: !!js/function "function () { globalThis.hacked = true }"\n---\n');
    expect('hacked' in globalThis).toBe(false);
  });

  it('cannot multiply itself by aliases', () => {
    const levels = Array.from({ length: 12 }, (_, at) => `l${at + 1}: &l${at + 1} [${Array(9).fill(`*l${at}`).join(', ')}]`);
    const text = `---\nl0: &l0 lol\n${levels.join('\n')}\n---\n`;
    expect(
      milliseconds(() => expect(fieldsOf(text)).toHaveProperty('problem', 'its front matter is no YAML that can be read')),
    ).toBeLessThan(LIMIT_MS);
  });

  it.each([
    ['brackets', `a: ${'['.repeat(20_000)}`],
    ['braces', `a: ${'{a: '.repeat(10_000)}`],
    ['dashes', `a:\n ${'- '.repeat(20_000)}x`],
    ['nesting of 21 levels', `a: ${'['.repeat(21)}1${']'.repeat(21)}`],
    ['more than 64 kB', `a: ${'x'.repeat(70_000)}`],
    ['blank lines', `${'\n'.repeat(60_000)}a: 1`],
    ['blanks in TOML', `k = ${' '.repeat(60_000)}x`],
  ])('of %s is refused in no time', (_, inner) => {
    for (const mark of ['---', '+++']) {
      let outcome: ReturnType<typeof fieldsOf> | undefined;
      expect(milliseconds(() => (outcome = fieldsOf(`${mark}\n${inner}\n${mark}\n`)))).toBeLessThan(LIMIT_MS);
      if (mark === '---') expect(outcome).toHaveProperty('problem');
    }
  });

  it.each([
    ['a title of blanks', `#${' \t'.repeat(200_000)}x`],
    ['blank lines', '\n'.repeat(200_000)],
    ['fences', '```\n~~~\n'.repeat(100_000)],
    ['opened comments', '<!--\n'.repeat(100_000)],
    ['headings', '# a\n'.repeat(100_000)],
    ['a heading with blanks behind', `## Session History${' '.repeat(200_000)}x`],
    ['quotes in TOML', `+++\na = [${'\\"'.repeat(30_000)}\n+++`],
    ['keys without a colon', `# T\n\n---\n${'a b '.repeat(100_000)}\n---`],
  ])('and a body of %s is read in linear time', (_, text) => {
    expect(milliseconds(() => taskOf(text))).toBeLessThan(LIMIT_MS);
  });
});

describe('a task', () => {
  it('has its title from the heading, else from the front matter, else from a heading below, else from its id', () => {
    expect(taskOf('# One  \n\n---\ntitle: Two\n---\n')).toMatchObject({ title: 'One' });
    expect(taskOf('---\ntitle: Two\n---\n# One\n')).toMatchObject({ title: 'One' });
    expect(taskOf('---\ntitle: Two\n---\nText\n# One\n')).toMatchObject({ title: 'Two' });
    expect(taskOf('Text\n\n```\n# no\n```\n# One\n')).toMatchObject({ title: 'One' });
    expect(taskOf('Text')).toMatchObject({ title: 'the-id' });
  });

  it('has a body without title, front matter and session history', () => {
    const text = '# T\n\n---\na: 1\n---\n\n## Instruction\nx\n\n## Session History\n### Session: a\n- y\n\n## Log\n- z\n';
    expect(taskOf(text)).toMatchObject({ body: '## Instruction\nx\n\n## Log\n- z' });
    expect(taskOf('text\n## Session History\n')).toMatchObject({ body: 'text' });
    expect(taskOf('```\n## Session History\n```\n')).toMatchObject({ body: '```\n## Session History\n```' });
  });

  it('is not made of UTF-16 or binary files', () => {
    for (const bytes of [Buffer.from('\uFEFF# T', 'utf16le'), Buffer.from([0xfe, 0xff, 0, 35]), Buffer.from('a\0b')]) {
      expect(readTask('a', '/w/a.md', bytes)).toEqual({ problem: 'it is no UTF-8 text' });
    }
  });
});

it('what was read last is not parsed again, and what is long ago is forgotten', () => {
  const source = 'a: 1\n';
  const document = yamlDocument(source);
  for (let other = 0; other < 15; other++) yamlDocument(`b: ${other}\n`);
  expect(yamlDocument(source)).toBe(document);
  for (let other = 0; other < 16; other++) yamlDocument(`c: ${other}\n`);
  expect(yamlDocument(source)).not.toBe(document);
  expect(yamlDocument(source).toJS()).toEqual({ a: 1 });
});
