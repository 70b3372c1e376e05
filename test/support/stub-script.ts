// The script language of the stub model: which turn a prompt's directives ask for next.
//
//   @@tool NAME {json}     call that tool with that input; one turn each, in order
//   @@say TEXT             say that; before a tool call in the same turn, at the end as the final answer
//   @@sleep MS             wait before going on
//   @@error STATUS [N]     answer with that HTTP status, every time, or N times and then go on
//
// Only lines that start with @@ count, so a prompt inside the JSON of a @@tool line stays where it is. When no directive is left and none said
// the final answer, it is `done: ` and the first 60 characters of the prompt. In TEXT and json, {{last}} is the text of the last tool result and
// {{last.a.0.b}} a field of it when it is JSON (a string without its quotes; outside quotes any JSON value). {{!last}} becomes {{last}}, so that
// it can be handed on to a nested prompt.
import { z } from 'zod';
import type { Conversation } from './stub-conversation.ts';

export interface Turn {
  readonly waitMs: number;
  readonly texts: readonly string[];
  readonly tool?: { readonly name: string; readonly input: unknown };
  readonly error?: { readonly status: number; readonly times: number };
}

/** What the model does next in this conversation. */
export function nextTurn(conversation: Conversation): Turn {
  const lines = conversation.prompt.split('\n').filter((line) => line.startsWith('@@'));
  const turn = turnsOf(lines)[conversation.turn];
  return turn === undefined ? { waitMs: 0, texts: [closingWords(conversation.prompt)] } : filledTurn(turn, conversation);
}

/** The lines grouped into turns: each ends with a tool call, or is the last. */
function turnsOf(lines: readonly string[]): readonly (readonly string[])[] {
  const turns: string[][] = [[]];
  for (const line of lines) {
    turns.at(-1)?.push(line);
    if (/^@@tool\b/.test(line)) turns.push([]);
  }
  return turns;
}

function filledTurn(lines: readonly string[], { prompt, last }: Conversation): Turn {
  let waitMs = 0;
  const texts: string[] = [];
  let error: Turn['error'];
  for (const line of lines) {
    const [, verb, rest = ''] = /^@@(\w+)[ \t]*(.*)$/.exec(line.trimEnd()) ?? [];
    if (verb === 'sleep') waitMs += Number(rest) || 0;
    else if (verb === 'say') texts.push(filled(rest, last, 'text'));
    else if (verb === 'error') error ??= errorOf(rest);
    else if (verb === 'tool') return { waitMs, texts, ...(error && { error }), ...toolCall(rest, last) };
    else texts.push(`stub: unknown directive ${line}`);
  }
  if (texts.length === 0) texts.push(closingWords(prompt));
  return { waitMs, texts, ...(error && { error }) };
}

function errorOf(rest: string): { status: number; times: number } {
  const [status, times] = rest.split(/\s+/).map(Number);
  return { status: status || 500, times: times || Number.POSITIVE_INFINITY };
}

/** The call, or what is wrong with it as text, so that a mistake in a test's script is seen in its result. */
function toolCall(rest: string, last: Conversation['last']): Pick<Turn, 'tool'> | Pick<Turn, 'texts'> {
  const [, name = '', json = ''] = /^(\S+)\s*(.*)$/.exec(rest) ?? [];
  const text = filled(json || '{}', last, 'json');
  try {
    return { tool: { name, input: JSON.parse(text) } };
  } catch {
    return { texts: [`stub: the input of ${name} is not JSON: ${text}`] };
  }
}

function closingWords(prompt: string): string {
  return `done: ${prompt.replace(/\s+/g, ' ').slice(0, 60)}`;
}

function filled(template: string, last: Conversation['last'], as: 'text' | 'json'): string {
  return template.replace(
    /\{\{(!*)last(?:\.([\w.-]+))?\}\}/g,
    (_, deferred: string, path: string | undefined, offset: number) => {
      if (deferred !== '') return `{{${deferred.slice(1)}last${path === undefined ? '' : `.${path}`}}}`;
      const value = path === undefined ? (last ?? []).join('\n') : fieldOf(last ?? [], path.split('.'));
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      if (as === 'text') return text;
      return isInsideString(template.slice(0, offset)) ? JSON.stringify(text).slice(1, -1) : JSON.stringify(value);
    },
  );
}

function isInsideString(json: string): boolean {
  return (json.replace(/\\./g, '').match(/"/g)?.length ?? 0) % 2 === 1;
}

/** The field in the whole text as JSON, else in the first of the texts that is JSON and has it; an empty string when it is nowhere. */
function fieldOf(texts: readonly string[], path: readonly string[]): unknown {
  for (const text of [texts.join('\n'), ...texts]) {
    const value = path.reduce<unknown>((at, key) => childOf(at, key), parsedJson(text));
    if (value !== undefined) return value;
  }
  return '';
}

function childOf(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value[Number(key)];
  const record = z.record(z.string(), z.unknown()).safeParse(value);
  return record.success && Object.hasOwn(record.data, key) ? record.data[key] : undefined;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
