// Everything that can happen: event name → schema of its data and a sentence. The ledger holds these and nothing else.
import { z } from 'zod';
import { SHARE_ROLES } from './access.ts';
import { PERMISSION_MODES } from './agent.ts';
import { AgentResult, EndCause } from './ending.ts';
import { call, prompted, resource, run, sessionId, settled, worktree } from './event-fields.ts';
import { Priority } from './priority.ts';
import { ProcessRef, SessionType, WAITS_FOR } from './session.ts';
import { Decision, RequestAsked } from './talk.ts';
import { UsedRule } from './used-rule.ts';

export const EVENTS = {
  'session.queued': {
    says: 'A new session stands in the line.',
    data: z.object({
      sessionId,
      type: SessionType,
      taskId: z.string(),
      taskTitle: z.string(),
      parentId: z.string().optional(),
      label: z.string().optional(),
      agent: z.string(),
      model: z.string().optional(),
      cwd: z.string().describe('Absolute folder the agent works in.'),
      timeoutMs: z.number().optional(),
      maxCostUsd: z.number().optional(),
      priority: Priority,
      prompt: z.string(),
      by: z.string().describe('Who asked, in words.'),
      ...call,
      position: z.number().int().describe('Place in the line when it was queued, 1 is next.'),
      reason: z.string().optional().describe('What it waits for.'),
      taskType: z.string().optional().describe('As the task file says it; past durations are kept by it.'),
      madeTask: z.boolean().optional().describe('The task was made for the prompt, which came alone.'),
      concurrent: z.boolean().optional().describe('May run beside another session on its task.'),
      notBefore: z.number().optional().describe('Not to be started before this time, in milliseconds since the epoch.'),
      orderKey: z.number().optional().describe('Place in the order, lower goes first; made from time and priority.'),
      resultSchema: z.string().optional().describe('JSON Schema, as text, of the data it is to end with.'),
      wantsWorktree: z
        .union([z.string(), z.literal(true)])
        .optional()
        .describe('Branch of its own worktree; true: named after it.'),
      permissionMode: z.enum(PERMISSION_MODES).optional().describe('What a rule allows it at most.'),
      tools: z.array(z.string()).readonly().optional().describe('The only tools that a rule leaves it to use without asking.'),
      rule: UsedRule.optional().describe('The rule that the prompt came from; not there when the caller gave the prompt.'),
    }),
  },
  'session.requeued': {
    says: 'It stands in the line again, for a retry.',
    data: z.object({
      sessionId,
      run,
      cause: EndCause,
      result: AgentResult.optional(),
      notBefore: z.number(),
      orderKey: z.number(),
      resume: z.boolean(),
    }),
  },
  'session.starting': {
    says: 'A slot is taken; this run is about to be started. Recorded before anything is started, so that a crash can be told from a start.',
    data: z.object({ sessionId, run, conversationId: z.string().optional(), resume: z.boolean() }),
  },
  'session.prepared': {
    says: 'What it works in is ready: its worktree, and how its folder stands before it begins.',
    data: z.object({ sessionId, run, worktree: worktree.optional(), cwd: z.string().optional(), mark: z.string().optional() }),
  },
  'session.started': { says: 'The agent process runs.', data: z.object({ sessionId, run, process: ProcessRef }) },
  'session.resumed': {
    says: 'It works again after it waited.',
    data: z.object({ sessionId, run, process: ProcessRef.optional() }),
  },
  'session.prompted': { says: 'Somebody said something to the session.', data: z.object(prompted) },
  'session.reopened': {
    says: 'Somebody said something to a settled session; it stands in the line for another run of the same conversation.',
    data: z.object({ ...prompted, orderKey: z.number(), resume: z.boolean() }),
  },
  'session.received': {
    says: "The agent's own record shows that it got the prompt.",
    data: z.object({ sessionId, promptId: z.string(), run }),
  },
  'session.undelivered': {
    says: 'A prompt did not reach the agent. What is pending when the session ends has failed with it.',
    data: z.object({ sessionId, promptId: z.string(), reason: z.string() }),
  },
  'session.waiting': {
    says: 'It waits for somebody: it asked something, or an interactive one stands at its prompt, after saying `text`, or at what `text` shows of its terminal.',
    data: z.object({ sessionId, run, for: z.enum(WAITS_FOR), request: RequestAsked.optional(), text: z.string().optional() }),
  },
  'session.answered': {
    says: 'What it asked was answered.',
    data: z.object({
      sessionId,
      requestId: z.string(),
      decision: Decision,
      text: z.string().optional(),
      remember: z.boolean().optional(),
      by: z.string(),
    }),
  },
  'session.stopping': {
    says: 'It was asked to stop; the stop ladder is under way.',
    data: z.object({ sessionId, cause: EndCause, ...call }),
  },
  'session.completed': { says: 'The agent finished its work.', data: settled },
  'session.failed': { says: 'It ended without having done its work; the cause says why.', data: settled },
  'session.cancelled': { says: 'It was cancelled, and no process of it is left.', data: settled.extend(call) },
  'session.lost': { says: 'Its process is gone and nobody saw it end.', data: settled },
  'session.pinned': {
    says: 'It is kept from being cleaned up, or no longer.',
    data: z.object({ sessionId, pinned: z.boolean(), by: z.string(), ...call }),
  },
  'session.shared': {
    says: 'Somebody else may watch it, or speak to it, until the share expires.',
    data: z.object({
      sessionId,
      shareId: z.string(),
      role: z.enum(SHARE_ROLES),
      name: z.string().describe('Whom it is for, in words.'),
      expiresAt: z.number().describe('In milliseconds since the epoch.'),
      by: z.string(),
      ...call,
    }),
  },
  'session.unshared': {
    says: 'A share of it was ended.',
    data: z.object({ sessionId, shareId: z.string(), by: z.string(), ...call }),
  },
  'session.removed': {
    says: 'A settled session was cleaned up, with its logs.',
    data: z.object({ sessionId, reason: z.enum(['age', 'count']) }),
  },
  'resource.exhausted': { says: 'The machine has no room for another session; what waits is held back.', data: resource },
  'resource.recovered': { says: 'The machine has room again; the line goes on.', data: resource },
  'queue.moved': {
    says: 'A queued session got another priority or place.',
    data: z.object({ sessionId, priority: Priority, orderKey: z.number(), orderSeq: z.number(), by: z.string(), ...call }),
  },
  'queue.cleared': {
    says: 'Queued sessions are cancelled together; for each a `session.cancelled` follows.',
    data: z.object({
      count: z.number().int(),
      sessionIds: z.array(z.string()).readonly().default([]).describe('Empty in events of versions that did not name them.'),
      by: z.string(),
      reason: z.string().optional(),
      ...call,
    }),
  },
  'queue.paused': {
    says: 'Nothing is started until the line goes on.',
    data: z.object({ by: z.string(), reason: z.string().optional(), ...call }),
  },
  'queue.resumed': { says: 'The line goes on.', data: z.object({ by: z.string(), ...call }) },
  'config.changed': {
    says: 'Limits or policies were changed by a call; they stay so over restarts.',
    data: z.object({ set: z.record(z.string(), z.json()), reset: z.array(z.string()), by: z.string(), ...call }),
  },
  'hub.started': {
    says: 'A hub owns the workspace from here on.',
    data: z.object({
      epoch: z.number().int(),
      pid: z.number().int(),
      version: z.string(),
      adopted: z.number().int(),
      queued: z.number().int(),
    }),
  },
  'hub.swept': {
    says: 'Processes that runs of this workspace had left behind, and nobody looked after, were ended at the start of a hub.',
    data: z.object({ processes: z.number().int() }),
  },
  'journal.lost': {
    says: 'The event of this number was damaged on disk and taken out by a repair.',
    data: z.object({ why: z.string() }),
  },
  'hub.stopped': { says: 'The hub left in good order; sessions run on.', data: z.object({ reason: z.string() }) },
} as const satisfies Record<string, { says: string; data: z.ZodType }>;

export type EventName = keyof typeof EVENTS;
/** Events that change the state of a session; `session.removed` takes it away. */
export type SessionEventName = Exclude<Extract<EventName, `session.${string}`>, 'session.removed'> | 'queue.moved';
export type DataOf<Name extends EventName> = z.infer<(typeof EVENTS)[Name]['data']>;

interface Envelope<Name extends EventName> {
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Who recorded it: `<host>/<epoch>`, the epoch being the number of the hub's claim. */
  readonly node: string;
  readonly name: Name;
  readonly data: DataOf<Name>;
}
export type EventOf<Name extends EventName> = Name extends EventName ? Envelope<Name> : never;
export type StoredEvent = EventOf<EventName>;

/** An event before the ledger gave it its number and time. */
export type EventDraft = { [Name in EventName]: { readonly name: Name; readonly data: DataOf<Name> } }[EventName];

const Head = z.object({
  seq: z.number().int().positive(),
  at: z.number(),
  node: z.string(),
  name: z.custom<EventName>((name) => typeof name === 'string' && Object.hasOwn(EVENTS, name), 'There is no such event.'),
  data: z.unknown(),
});

/** An event as it was stored, checked. Throws a ZodError on anything else. */
export function parseEvent(value: unknown): StoredEvent {
  const { seq, at, node, name, data } = Head.parse(value);
  // that name and data belong together is known by the table, and lost to the types in the union of all events
  return { seq, at, node, name, data: EVENTS[name].data.parse(data) } as StoredEvent;
}

/** The session an event is about, if it is about one. */
export function sessionOf(event: Pick<StoredEvent, 'data'>): string | undefined {
  return 'sessionId' in event.data ? event.data.sessionId : undefined;
}

/** True when `name` is matched by a filter such as `session.started` or `session.*`. */
export function matchesName(name: string, filter: string): boolean {
  return filter.endsWith('*') ? name.startsWith(filter.slice(0, -1)) : name === filter;
}
