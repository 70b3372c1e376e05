// What a task is about, written into its id: so nothing need be kept about it, and every hub of the workspace reads the same.
import { ProtocolError } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { UNTIL, type Until } from '../core/wait.ts';
import { INVALID_PARAMS } from './teaching.ts';

/** What a task is about, as its id says it. */
export type Subject =
  | { readonly kind: 'run'; readonly sessionIds: readonly [string] }
  | {
      readonly kind: 'wait';
      readonly sessionIds: readonly string[];
      readonly until: Until;
      readonly after: string | undefined;
      /** Milliseconds since the epoch. */
      readonly createdAt: number;
    };

const RUN = /^run\.([^~]{1,128})$/;
const WAIT = /^wait\.(any|all|change)\.(\d{0,20})\.(\d{1,15})\.(.+)$/;

/** The id of the task; it fits into an HTTP header. */
export function taskIdOf(subject: Subject): string {
  if (subject.kind === 'run') return `run.${subject.sessionIds[0]}`;
  return `wait.${subject.until}.${subject.after ?? ''}.${subject.createdAt}.${subject.sessionIds.join('~')}`;
}

/** What the task with this id is about. Fails with -32602 for an id that no task could have. */
export function subjectOf(taskId: string): Subject {
  const [, sessionId] = RUN.exec(taskId) ?? [];
  if (sessionId !== undefined) return { kind: 'run', sessionIds: [sessionId] };
  const [, until, after, createdAt, ids] = WAIT.exec(taskId) ?? [];
  if (ids === undefined) throw new ProtocolError(INVALID_PARAMS, `There is no task "${taskId.slice(0, 100)}".`);
  return {
    kind: 'wait',
    sessionIds: ids.split('~').slice(0, 50),
    until: z.enum(UNTIL).parse(until),
    after: after || undefined,
    createdAt: Number(createdAt),
  };
}
