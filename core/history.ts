// What a session's history says: one line per state change and prompt, for the task file and for task://{id}/history.

import type { EndCause } from './ending.ts';
import type { StoredEvent } from './events.ts';
import type { Session } from './session.ts';
import { ENDED_FIRST } from './talk.ts';
import { iso } from './time.ts';

export interface HistoryLine {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly text: string;
}

const PROMPT_LENGTH = 200;
const RESULT_LENGTH = 500;

/** The line an event adds to the history of its session, or undefined when it adds none. */
export function historyLine(session: Session, event: StoredEvent): HistoryLine | undefined {
  const text = sentence(session, event);
  return text === undefined ? undefined : { at: event.at, text };
}

function sentence(session: Session, event: StoredEvent): string | undefined {
  switch (event.name) {
    case 'session.queued':
      return `Session queued by ${oneLine(event.data.by, 80)} with priority ${event.data.priority}`;
    case 'session.requeued':
      if (event.data.cause.kind === 'done') return 'Session goes on with what was said meanwhile';
      return `Session is tried again after ${iso(event.data.notBefore)}: ${causeText(event.data.cause)}`;
    case 'session.started':
      return `Session started with ${session.type} mode (agent ${session.agent}${session.run > 1 ? `, run ${session.run}` : ''})`;
    case 'session.resumed':
      return 'Session goes on';
    case 'session.prompted':
      return `Custom prompt: "${oneLine(event.data.prompt, PROMPT_LENGTH)}"`;
    case 'session.reopened':
      return `Session goes on with: "${oneLine(event.data.prompt, PROMPT_LENGTH)}"`;
    case 'session.undelivered':
      return `A prompt was not delivered: ${oneLine(event.data.reason, PROMPT_LENGTH)}`;
    case 'session.waiting':
      return event.data.request && `Session asks: ${oneLine(event.data.request.text, PROMPT_LENGTH)}`;
    case 'session.answered':
      return `Answered by ${oneLine(event.data.by, 80)}: ${event.data.decision}${event.data.text ? `, "${oneLine(event.data.text, PROMPT_LENGTH)}"` : ''}`;
    case 'session.stopping':
      return `Session is being stopped: ${causeText(event.data.cause)}`;
    case 'session.completed':
    case 'session.failed':
    case 'session.cancelled':
    case 'session.lost':
      return ending(event.name.slice('session.'.length), session, event.at);
    default:
      return undefined;
  }
}

function ending(word: string, { cause, result, prompts = [] }: Session, at: number): string {
  const cost = result?.costUsd === undefined ? '' : `, $${result.costUsd.toFixed(4)}`;
  const turns = result?.turns === undefined ? '' : `, ${result.turns} turn${result.turns === 1 ? '' : 's'}`;
  const why = cause === undefined || cause.kind === 'done' ? '' : ` (${causeText(cause)})`;
  const said = result?.text ? `: ${oneLine(result.text, RESULT_LENGTH)}` : '';
  const unheard = prompts.filter(({ reason, doneAt }) => reason === ENDED_FIRST && doneAt === at).length;
  const lost = unheard === 0 ? '' : `, ${unheard} prompt${unheard === 1 ? '' : 's'} not delivered`;
  return `Session ${word}${why}${cost}${turns}${lost}${said}`;
}

/** An end cause in words: `cancelled by sc: no longer needed`. */
export function causeText(cause: EndCause): string {
  const parts = [
    cause.kind.replaceAll('_', ' '),
    cause.signal && `by ${cause.signal}`,
    cause.by && `by ${oneLine(cause.by, 80)}`,
    cause.kind === 'agent_error' && cause.exitCode !== undefined && `with exit code ${cause.exitCode}`,
    cause.resetsAt && `until ${cause.resetsAt}`,
  ].filter(Boolean);
  return parts.join(' ') + (cause.reason ? `: ${oneLine(cause.reason, 300)}` : '');
}

/** A text on one line, cut with its full length told. */
export function oneLine(text: string, length: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= length ? line : `${line.slice(0, length)}… (${text.length} characters, whole in the log)`;
}
