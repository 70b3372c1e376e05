// How a session looks in a task file: its item under `sessions:` and its lines under `## Session History`.
import { isActive, type Session } from '../core/session.ts';
import { terminalName } from '../core/terminal-name.ts';

/** What of a session goes into its task file. */
export type ProjectedSession = Pick<
  Session,
  | 'id'
  | 'type'
  | 'status'
  | 'agent'
  | 'parentId'
  | 'customPrompts'
  | 'startedAt'
  | 'settledAt'
  | 'cause'
  | 'result'
  | 'spentUsd'
  | 'history'
> & {
  /** Id by which its agent goes on with the conversation; only of sessions that nobody else remembers. */
  readonly conversation?: string | undefined;
};

/** A session in words, ready to be put in. */
export interface SessionText {
  readonly id: string;
  /** Lines of the item, without indentation and without the dash. */
  readonly item: readonly string[];
  /** The item on one line, for a list in brackets. */
  readonly flowItem: string;
  /** `### Session: <id> (Autonomous)`. */
  readonly heading: string;
  /** `- 2025-05-30 10:00:15: text`, oldest first. */
  readonly history: readonly string[];
}

/** Longest custom prompt and history text in characters, and how many of the newest are written. */
const PROMPT_LENGTH = 200;
const HISTORY_LENGTH = 700;
const MOST_PROMPTS = 20;
const MOST_LINES = 500;

/** Characters that could end or disguise a line: controls, U+2028/9, text direction marks, the byte order mark, lone surrogates. */
const UNSEEN = /[\u0000-\u001F\u007F-\u009F\u2028\u2029\u200B\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]|\p{Surrogate}/gu;

/** A session in words. `encode` turns them into the encoding of the text they go into. */
export function sessionText(session: ProjectedSession, encode: (text: string) => string): SessionText {
  const pairs = pairsOf(session);
  const prompts = session.customPrompts.slice(-MOST_PROMPTS).map((prompt) => quoted(cut(prompt, PROMPT_LENGTH)));
  const earlier = session.customPrompts.length - prompts.length;
  const list = [
    ...(earlier > 0 ? [`  # ${earlier} earlier prompts are in the log`] : []),
    ...prompts.map((prompt) => `  - ${prompt}`),
  ];
  const mode = `${session.type.slice(0, 1).toUpperCase()}${session.type.slice(1)}`;
  return {
    id: session.id,
    item: [...pairs.map(([key, value]) => `${key}: ${value}`), ...(prompts.length > 0 ? ['customPrompts:', ...list] : [])].map(
      encode,
    ),
    flowItem: encode(
      `{ ${[...pairs.map(flowPair), ...(prompts.length > 0 ? [`customPrompts: [${prompts.join(', ')}]`] : [])].join(', ')} }`,
    ),
    heading: encode(`### Session: ${session.id} (${mode})`),
    history: session.history.slice(-MOST_LINES).map((line) => encode(`- ${clockTime(line.at)}: ${singleLine(line.text)}`)),
  };
}

/** Milliseconds since the epoch as `2025-05-30 10:00:15`, in UTC. */
function clockTime(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

function pairsOf(session: ProjectedSession): (readonly [string, string])[] {
  const pairs: (readonly [string, string | undefined])[] = [
    ['id', word(session.id)],
    ['type', session.type],
    ['status', session.status],
    ['startTime', isoTime(session.startedAt)],
    ['endTime', isoTime(session.settledAt)],
    ['agent', word(session.agent)],
    ['parentId', session.parentId && word(session.parentId)],
    ['tmuxSession', session.type === 'interactive' && isActive(session) ? terminalName(session.id) : undefined],
    ['conversationId', session.conversation && word(session.conversation)],
    ['cause', session.cause?.kind],
    ['costUsd', money(session.spentUsd ?? session.result?.costUsd)],
  ];
  return pairs.flatMap(([key, value]) => (value ? [[key, value] as const] : []));
}

/** In brackets a time is quoted: some readers stumble over its colons. */
function flowPair([key, value]: readonly [string, string]): string {
  return `${key}: ${key.endsWith('Time') ? `"${value}"` : value}`;
}

function isoTime(at: number | undefined): string | undefined {
  return at === undefined ? undefined : `${new Date(at).toISOString().slice(0, 19)}Z`;
}

function money(dollars: number | undefined): string | undefined {
  return dollars === undefined || !Number.isFinite(dollars) ? undefined : String(Number(dollars.toFixed(6)));
}

/** Plain where YAML cannot take it for anything but a string. */
function word(text: string): string {
  const plain = /^[A-Za-z][A-Za-z0-9_./-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text);
  return plain ? text : quoted(text);
}

function quoted(text: string): string {
  return JSON.stringify(text).replace(UNSEEN, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function cut(text: string, length: number): string {
  return text.length <= length
    ? text
    : `${text.slice(0, length).replace(/\p{Surrogate}$/u, '')}… (${text.length} characters, whole in the log)`;
}

function singleLine(text: string): string {
  const short = text.length > HISTORY_LENGTH ? cut(text, HISTORY_LENGTH) : text;
  return short
    .replace(/\p{Surrogate}/gu, '\uFFFD')
    .replace(UNSEEN, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}
