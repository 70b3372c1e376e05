// Rule files that mean harm: for the test that they are refused, and for the benchmark that it does not take long.

export interface HostileRule {
  readonly name: string;
  readonly text: string;
  /** What is said of it; undefined for one that is taken, and harmless. */
  readonly says: RegExp | undefined;
}

const pattern = (value: string) =>
  `---\nconditions:\n  - { field: title, operator: matches, value: ${JSON.stringify(value)} }\n---\nSay.\n`;
const bomb = [
  'a: &a [x, x, x, x, x, x, x, x, x]',
  ...'bcdefghi'.split('').map((name, at) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[at]}`).join(', ')}]`),
];

export const HOSTILE: readonly HostileRule[] = [
  {
    name: 'of 5 MB',
    text: `---\nname: x\n---\n${'Say. '.repeat(1_000_000)}`,
    says: /^1:1 The file has more than 65536 bytes\.$/,
  },
  {
    name: 'with 60 kB of front matter',
    text: `---\n${'key: value\n'.repeat(5500)}---\nSay.\n`,
    says: /^1:1 The front matter has more than 16384 characters\.$/,
  },
  { name: 'with a YAML bomb', text: `---\n${bomb.join('\n')}\n---\nSay.\n`, says: /^3:\d+ The front matter holds an alias/ },
  {
    name: 'with one alias',
    text: '---\nname: &n x\ndescription: *n\n---\nSay.\n',
    says: /^3:14 The front matter holds an alias/,
  },
  {
    name: 'with code for front matter',
    text: '---js\n{ name: process.exit(1) }\n---\nSay.\n',
    says: /^1:4 The front matter is YAML .*nothing in it is run\.$/,
  },
  { name: 'with JSON for front matter', text: '---json\n{}\n---\nSay.\n', says: /^1:4 The front matter is YAML/ },
  { name: 'without front matter', text: '# A title\n\nSay.\n', says: /^1:1 The file does not begin with front matter/ },
  { name: 'with front matter that is not closed', text: '---\nname: x\n\nSay.\n', says: /^1:1 The front matter is not closed/ },
  {
    name: 'with 20,000 brackets',
    text: `---\nname: ${'['.repeat(16_000)}\n---\nSay.\n`,
    says: /^1:1 The front matter nests too deeply\.$/,
  },
  {
    name: 'with 8,000 dashes',
    text: `---\nname:\n${'- '.repeat(8000)}\n---\nSay.\n`,
    says: /^1:1 The front matter nests too deeply\.$/,
  },
  {
    name: 'with a long run of blanks',
    text: `---\nname:${' '.repeat(15_000)}x\n---\nSay.\n`,
    says: /^1:1 The front matter holds a very long run of blanks\.$/,
  },
  {
    name: 'with a tag of its own',
    text: '---\nname: !!js/function "function () {}"\n---\nSay.\n',
    says: /^\d+:\d+ .*(?:tag|type)/i,
  },
  {
    name: 'with two keys of one name',
    text: '---\nname: x\nname: y\n---\nSay.\n',
    says: /^3:1 The front matter is no YAML: Map keys must be unique\.$/,
  },
  { name: 'with bytes that are no text', text: '---\nname: x\0\n---\nSay.\n', says: /^1:1 The file is no text\.$/ },
  {
    name: 'with a template that includes itself',
    text: '---\n---\nSay {{> a-rule}} and again.\n',
    says: /^3:5 A template cannot include another, nor itself\.$/,
  },
  {
    name: 'with a pattern of a million steps',
    text: pattern('(a{1000}){1000}'),
    says: /^3:\d+ The pattern is none that RE2 takes: invalid repeat count/,
  },
  { name: 'with a pattern that grows', text: pattern('((a{30}){30})'), says: /^3:\d+ The pattern is too large/ },
  {
    name: 'with a pattern that looks back',
    text: pattern('(a)\\1'),
    says: /^3:\d+ The pattern is none that RE2 takes: invalid escape sequence/,
  },
  {
    name: 'with a pattern without end',
    text: pattern('a'.repeat(201)),
    says: /^3:\d+ The pattern has 201 characters; at most 200 are taken\.$/,
  },
  { name: 'with a catastrophic pattern', text: pattern('^(a+)+$'), says: undefined },
  { name: 'with another catastrophic pattern', text: pattern('^(a|aa)+$'), says: undefined },
  { name: 'with a third catastrophic pattern', text: pattern('(a*)*(a*)*(a*)*b'), says: undefined },
];
