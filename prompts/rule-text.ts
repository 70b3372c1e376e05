// Writes rule files as a person would: a change touches the lines it is about and leaves all others, comments included, as they are.
import { Document, isMap, isScalar, isSeq, parseDocument, visit } from 'yaml';
import { fail } from '../core/errors.ts';
import type { RuleChange } from '../core/rules.ts';
import { readFrontMatter } from './front-matter.ts';

const PLAIN_KEYS = ['name', 'description', 'kind', 'enabled', 'priority', 'moments'] as const;

/** The text of the file after the change; `before` is the text there is. Fails with INVALID_INPUT or RULE_INVALID. */
export function changedText(id: string, before: string | undefined, change: RuleChange): string {
  const { text, template, conditions, ...plain } = change;
  if (text !== undefined) {
    const others = Object.entries(change).filter(([key, value]) => key !== 'text' && value !== undefined);
    if (others.length > 0)
      fail('INVALID_INPUT', `"text" is the whole file; leave out: ${others.map(([key]) => key).join(', ')}.`);
    return text.trimStart().startsWith('{') ? textOfJson(id, text) : ending(text);
  }
  if (before === undefined && template === undefined && plain.kind !== 'session')
    fail('INVALID_INPUT', `There is no rule "${id}" yet; a new one needs "template", or "text" with the whole file.`);
  const wanted: [string, unknown][] = PLAIN_KEYS.flatMap((key) => (plain[key] === undefined ? [] : [[key, plain[key]]]));
  if (conditions !== undefined) wanted.push(['conditions', jsonOf('conditions', conditions)]);
  if (before === undefined) return newText(Object.fromEntries(wanted), template ?? '');
  const old = readFrontMatter(before);
  if ('problem' in old)
    fail(
      'RULE_INVALID',
      `The file of rule "${id}" cannot be read (line ${old.problem.line}: ${old.problem.message}); give the whole file as "text".`,
    );
  const start = before.length - old.body.length;
  const head = wanted.reduce((lines, [key, value]) => withKey(lines, key, value), before.slice(0, start));
  if (template === undefined) return `${head}${before.slice(start)}`;
  if (old.fields.promptTemplate !== undefined) return `${withKey(head, 'promptTemplate', template.trim())}${before.slice(start)}`;
  return ending(`${head}${template.trim()}`);
}

/** A new file with these keys in this order. */
export function newText(fields: Readonly<Record<string, unknown>>, template: string): string {
  return ending(`---\n${Object.keys(fields).length > 0 ? yamlOf(fields) : ''}---\n${template.trim()}`);
}

/** The JSON form of a rule, as the plan has it, as the text of a file. Fails with INVALID_INPUT. */
export function textOfJson(id: string, text: string): string {
  const value = jsonOf('text', text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return fail('INVALID_INPUT', 'The JSON form of a rule is an object.');
  const { id: named = id, promptTemplate = '', ...rest }: Record<string, unknown> = { ...value };
  if (named !== id) fail('INVALID_INPUT', `The JSON says "id": ${JSON.stringify(named).slice(0, 80)}, and the call "${id}".`);
  if (typeof promptTemplate !== 'string') fail('INVALID_INPUT', 'The "promptTemplate" must be a text.');
  const order = ['name', 'description', 'kind', 'enabled', 'priority', 'moments', 'conditions'];
  const known = order.filter((key) => rest[key] !== undefined).map((key) => [key, rest[key]]);
  const others = Object.entries(rest).filter(([key]) => !order.includes(key));
  return newText({ id, ...Object.fromEntries([...known, ...others]) }, promptTemplate);
}

/** The file's beginning, up to its body, with one key set. */
function withKey(head: string, key: string, value: unknown): string {
  const open = head.indexOf('\n') + 1;
  const close = head.slice(0, head.trimEnd().lastIndexOf('---')).length;
  const source = head.slice(open, close);
  const document = parseDocument(source, { schema: 'core', logLevel: 'silent' });
  const pair = isMap(document.contents)
    ? document.contents.items.find((item) => isScalar(item.key) && item.key.value === key)
    : undefined;
  const line = yamlOf({ [key]: value });
  if (!pair)
    return `${head.slice(0, open)}${source}${source === '' || source.endsWith('\n') ? '' : '\n'}${line}${head.slice(close)}`;
  const from = isScalar(pair.key) ? (pair.key.range?.[0] ?? 0) : 0;
  const old = pair.value;
  const end = isScalar(old) || isMap(old) || isSeq(old) ? (old.range?.[1] ?? from) : source.indexOf('\n', from);
  // a list ends behind its last line end, a word before it, where a comment may follow
  const fresh = source[end - 1] === '\n' ? line : line.trimEnd();
  return `${head.slice(0, open)}${source.slice(0, from)}${fresh}${source.slice(end)}${head.slice(close)}`;
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
