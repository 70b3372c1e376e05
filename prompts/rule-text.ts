// Writes rule files as a person would: a change touches the lines it is about and leaves all others, comments included, as they are.
import { Document, isMap, isScalar, isSeq, parseDocument, visit } from 'yaml';
import { fail } from '../core/errors.ts';
import type { RuleChange } from '../core/rules.ts';
import { type PlacedProblem, readFrontMatter } from './front-matter.ts';
import { isJsonForm, readJsonRule, withJsonKeys } from './json-rule.ts';

const PLAIN_KEYS = ['name', 'description', 'kind', 'enabled', 'priority', 'moments'] as const;

/** The text of a Markdown file after the change; `before` is the text there is. Fails with INVALID_INPUT or RULE_INVALID. */
export function changedText(id: string, before: string | undefined, change: RuleChange): string {
  const { text, template } = change;
  if (text !== undefined) return isJsonForm(text) ? textOfJson(id, text) : ending(text);
  const wanted = keysOf(change);
  if (before === undefined) {
    expectText(id, change);
    return newText(Object.fromEntries(wanted), template ?? '');
  }
  const old = readFrontMatter(before);
  if ('problem' in old) return unreadable(id, old.problem);
  const line = before.includes('\r\n') ? '\r\n' : '\n';
  const keys = template !== undefined && old.fields.promptTemplate !== undefined ? [...wanted, templateKey(template)] : wanted;
  const changed = keys.reduce((lines, [key, value]) => withKey(lines, key, value, line), before);
  if (template === undefined || keys !== wanted) return changed;
  const head = changed.slice(0, frameOf(changed).body);
  const said = template.trim().replace(/\r?\n/g, line);
  return `${head}${head.endsWith('\n') ? '' : line}${said}${line}`;
}

/** The text of a JSON file after the change; `before` is the text there is. Fails with INVALID_INPUT or RULE_INVALID. */
export function changedJson(id: string, before: string | undefined, change: RuleChange): string {
  const { text, template } = change;
  if (text !== undefined)
    return isJsonForm(text)
      ? ending(text)
      : fail(
          'INVALID_INPUT',
          `Rule "${id}" lies in a JSON file, so "text" must be the JSON form of a rule; remove that file to write it as Markdown.`,
        );
  const old = readJsonRule(before ?? '');
  if (before === undefined || 'problem' in old) return unreadable(id, 'problem' in old ? old.problem : undefined);
  return withJsonKeys(before, [...keysOf(change), ...(template === undefined ? [] : [templateKey(template)])]);
}

/** Fails with INVALID_INPUT where a change says two things at once. */
export function checkChange({ text, ...others }: RuleChange): void {
  const named = Object.entries(others).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  if (text !== undefined && named.length > 0) fail('INVALID_INPUT', `"text" is the whole file; leave out: ${named.join(', ')}.`);
}

/** The keys of a file that the change sets. */
function keysOf({ conditions, ...plain }: RuleChange): readonly (readonly [string, unknown])[] {
  const keys = PLAIN_KEYS.flatMap((key) => (plain[key] === undefined ? [] : [[key, plain[key]] as const]));
  return conditions === undefined ? keys : [...keys, ['conditions', jsonOf('conditions', conditions)]];
}

function templateKey(template: string): readonly [string, string] {
  return ['promptTemplate', template.trim()];
}

function expectText(id: string, { template, kind }: RuleChange): void {
  if (template === undefined && kind !== 'session')
    fail('INVALID_INPUT', `There is no rule "${id}" yet; a new one needs "template", or "text" with the whole file.`);
}

function unreadable(id: string, problem: PlacedProblem | undefined): never {
  const why = problem ? ` (line ${problem.line}: ${problem.message})` : '';
  return fail('RULE_INVALID', `The file of rule "${id}" cannot be read${why}; give the whole file as "text".`);
}

/** A new file with these keys in this order. */
function newText(fields: Readonly<Record<string, unknown>>, template: string): string {
  return ending(`---\n${Object.keys(fields).length > 0 ? yamlOf(fields) : ''}---\n${template.trim()}`);
}

/** A rule in the JSON form as the text of a Markdown file. Fails with RULE_INVALID. */
export function textOfJson(id: string, text: string): string {
  const read = readJsonRule(text);
  if ('problem' in read) return unreadable(id, read.problem);
  const { id: named = id, promptTemplate = '', ...rest } = read.fields;
  const order = ['name', 'description', 'kind', 'enabled', 'priority', 'moments', 'conditions'];
  const known = order.filter((key) => rest[key] !== undefined).map((key) => [key, rest[key]]);
  const others = Object.entries(rest).filter(([key]) => !order.includes(key));
  return newText({ id: named, ...Object.fromEntries([...known, ...others]) }, String(promptTemplate));
}

interface Frame {
  /** Where the YAML begins, where the line that closes it begins, and where the body does, in characters. */
  readonly open: number;
  readonly close: number;
  readonly body: number;
}

/** The parts of a file whose front matter can be read. */
function frameOf(text: string): Frame {
  const open = text.indexOf('\n') + 1;
  const found = /^---[ \t]*(?:\r?\n|$)/m.exec(text.slice(open));
  const close = open + (found?.index ?? 0);
  return { open, close, body: close + (found?.[0].length ?? 0) };
}

/** The file with one key of its front matter set; `end` is how its lines end. */
function withKey(text: string, key: string, value: unknown, end: string): string {
  const { open, close } = frameOf(text);
  const source = text.slice(open, close);
  const document = parseDocument(source, { schema: 'core', logLevel: 'silent' });
  const pair = isMap(document.contents)
    ? document.contents.items.find((item) => isScalar(item.key) && item.key.value === key)
    : undefined;
  const line = yamlOf({ [key]: value }).replaceAll('\n', end);
  if (!pair) return `${text.slice(0, close)}${line}${text.slice(close)}`;
  const from = isScalar(pair.key) ? (pair.key.range?.[0] ?? 0) : 0;
  const old = pair.value;
  const until = isScalar(old) || isMap(old) || isSeq(old) ? (old.range?.[1] ?? from) : source.indexOf('\n', from);
  // a list ends behind its last line end, a word before it, where a comment may follow
  const fresh = source[until - 1] === '\n' ? line : line.trimEnd();
  return `${text.slice(0, open + from)}${fresh}${text.slice(open + until)}`;
}

/** Keys as YAML, each condition on a line of its own. */
function yamlOf(fields: Readonly<Record<string, unknown>>): string {
  const document = new Document(fields);
  inOneLine(document);
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

function inOneLine(document: Document): void {
  visit(document, {
    Map(_key, node) {
      if (node.has('field') && node.has('operator')) node.flow = true;
    },
    Seq(_key, node) {
      if (node.items.every(isScalar)) node.flow = true;
    },
  });
}

function jsonOf(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return fail('INVALID_INPUT', `"${name}" is no JSON: ${error instanceof Error ? error.message : 'it cannot be parsed'}.`);
  }
}

function ending(text: string): string {
  return `${text.trimEnd()}\n`;
}
