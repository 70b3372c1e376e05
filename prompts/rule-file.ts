// Makes a rule of the text of its file, or says everything that is wrong with it by line and column.
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { nearest } from '../core/errors.ts';
import type { Rule } from '../core/rules.ts';
import { type Compiled, readConditions } from './conditions.ts';
import { type FrontMatter, type PlacedProblem, readFrontMatter } from './front-matter.ts';
import { readJsonRule } from './json-rule.ts';
import type { PatternCompiler } from './pattern.ts';
import { argumentsOf, defaultsOf, notesOf, RULE_ID, RuleFields } from './rule-schema.ts';
import { type Part, readTemplate, variablesOf } from './template.ts';
import { variableProblem } from './variables.ts';

/** A rule with what it needs to be weighed and rendered. */
export interface ReadyRule {
  readonly rule: Rule;
  readonly compiled: Compiled;
  readonly parts: readonly Part[];
}

export type RuleOutcome = { readonly ready: ReadyRule } | { readonly problems: readonly PlacedProblem[] };

/** So many problems of a file are told. */
const MOST_PROBLEMS = 10;

/** `stem` is the id of a rule that names none; `file` where it lies, below the workspace: one that ends in `.json` has the JSON form. */
export function readRule(text: string, stem: string, file: string | undefined, compile: PatternCompiler): RuleOutcome {
  const isJson = file?.endsWith('.json') === true;
  const matter = isJson ? readJsonRule(text) : readFrontMatter(text);
  if ('problem' in matter) return { problems: [matter.problem] };
  const parsed = RuleFields.safeParse(matter.fields);
  if (!parsed.success) return { problems: parsed.error.issues.flatMap((issue) => told(matter, issue)).slice(0, MOST_PROBLEMS) };
  const fields = parsed.data;
  const id = fields.id ?? stem;
  const problems: PlacedProblem[] = [];
  if (!RULE_ID.test(id))
    problems.push({
      line: 1,
      column: 1,
      message: `The name of the file is no rule id; give it an "id" of letters, digits, - and _.`,
    });
  const conditions = readConditions(fields.conditions, compile);
  if ('problems' in conditions)
    problems.push(
      ...conditions.problems.map(({ path, isKey, message }) => ({
        ...matter.placeOf(['conditions', ...path], isKey ? 'key' : undefined),
        message,
      })),
    );

  const isBody = fields.promptTemplate === undefined;
  if (!isBody && matter.body.trim() !== '')
    problems.push({
      line: matter.bodyLine,
      column: 1,
      message: 'There is a promptTemplate already; below the front matter nothing may stand.',
    });
  const preface = [fields.systemPrompt, fields.appendSystemPrompt].filter((one) => one !== undefined).map(escaped);
  const body = (fields.promptTemplate ?? matter.body).trim();
  const args = argumentsOf(fields);
  const template = readTemplate(body, (name) => variableProblem(name, args));
  if ('problem' in template) {
    const { at, message } = template.problem;
    problems.push({ ...(isBody ? placeIn(matter, body, at) : matter.placeOf(['promptTemplate'])), message });
  }
  if (body === '' && fields.kind === 'prompt')
    problems.push({
      line: matter.bodyLine,
      column: 1,
      message: `The rule says nothing: ${isJson ? '"promptTemplate" is' : 'below the front matter stands'} its text.`,
    });
  if (problems.length > 0 || 'problems' in conditions || 'problem' in template)
    return { problems: problems.slice(0, MOST_PROBLEMS) };

  const { compiled } = conditions;
  const defaults = defaultsOf(fields);
  const whole = [...preface, body].join('\n\n');
  return {
    ready: {
      compiled,
      parts:
        preface.length === 0
          ? template.parts
          : [{ text: `${[fields.systemPrompt, fields.appendSystemPrompt].filter(Boolean).join('\n\n')}\n\n` }, ...template.parts],
      rule: {
        id,
        name: fields.name ?? id,
        description: fields.description,
        kind: fields.kind,
        enabled: fields.enabled,
        moments: fields.moments,
        priority: typeof fields.priority === 'number' ? fields.priority : 0,
        specificity: compiled.specificity,
        condition: compiled.condition,
        template: whole,
        arguments: args,
        defaults,
        version: createHash('sha256')
          .update(JSON.stringify([whole, defaults, args]))
          .digest('hex')
          .slice(0, 12),
        file,
        notes: notesOf(fields),
      },
    },
  };
}

/** True when the text of the rule says which task it is about; else the task is put below it. */
export function namesTask({ parts }: ReadyRule): boolean {
  return variablesOf(parts).some((name) => ['task.body', 'task.file', 'task.title', 'task.id'].includes(name));
}

function placeIn(
  { body: whole, bodyLine }: FrontMatter,
  body: string,
  at: number,
): { readonly line: number; readonly column: number } {
  const before = whole.slice(0, whole.indexOf(body) + at).split('\n');
  return { line: bodyLine + before.length - 1, column: (before.at(-1)?.length ?? 0) + 1 };
}

function told({ placeOf }: FrontMatter, issue: z.core.$ZodIssue): PlacedProblem[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => {
      const near = nearest(key, Object.keys(RuleFields.shape));
      const place = placeOf([...issue.path, key], 'key');
      return {
        ...place,
        message: `There is no key ${JSON.stringify(key.slice(0, 40))}.${near ? ` Did you mean "${near}"?` : ' docs/prompts.md lists the keys.'}`,
      };
    });
  const name = issue.path.map(String).join('.');
  return [{ ...placeOf(issue.path), message: `"${name}" ${wrongText(issue)}.` }];
}

function wrongText(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return `must be one of: ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'invalid_type') return `must be a value of type ${issue.expected}`;
  if (issue.code === 'invalid_union') return 'is of a kind that it cannot be';
  if (issue.code === 'invalid_format') return `is not as it must be: ${issue.message}`;
  return `is not as it must be: ${issue.message.replace(/^./, (first) => first.toLowerCase())}`;
}

function escaped(text: string): string {
  return text.replaceAll('{{', '\\{{');
}
