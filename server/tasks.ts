// The Tasks extension: a call that waits for sessions goes on as a task where its client says that it can follow one.
//
//   tools/call ─► settles within two seconds ─► its result, as always
//             └─► a task: working ◄──► input_required (a session asks: the form is in it, `tasks/update` brings the answer)
//                                 └──► completed, with the result that the call would have had · cancelled
//
// Nothing is kept about a task. Its id says what the call was about, and how it stands is read from the ledger: so it is durable before it is
// told, every process that serves this workspace knows it, and it lives as long as its sessions do.
import {
  MissingRequiredClientCapabilityError,
  ProtocolError,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { ScopecraftError } from '../core/errors.ts';
import type { OpenRequest } from '../core/requests.ts';
import { isSettled } from '../core/session.ts';
import { iso } from '../core/time.ts';
import { UNTIL } from '../core/wait.ts';
import type { ToolContext } from '../tools/define.ts';
import { receiptOf } from '../tools/session-run.ts';
import { sessionWait } from '../tools/session-wait.ts';
import { answerOf, formOf } from './forms.ts';
import { type Subject, subjectOf, taskIdOf } from './task-id.ts';
import { INVALID_PARAMS, teaching } from './teaching.ts';

export const TASKS = 'io.modelcontextprotocol/tasks';
export const TASK_CAPABILITIES = { [TASKS]: {} };

/** A call that is over so soon is no task. */
const AT_ONCE_SECONDS = 2;
const POLL_MS = 1000;
const CANCELLED = 'The client cancelled the task.';

const Run = z.looseObject({ id: z.string() });
const Wait = z.looseObject({
  sessionIds: z.array(z.string()),
  until: z.enum(UNTIL).default('any'),
  after: z.string().optional(),
});
const Waited = z.looseObject({ cursor: z.string() });
const Declared = z.looseObject({ extensions: z.looseObject({ [TASKS]: z.looseObject({}) }) });

const Params = z.looseObject({ taskId: z.string().max(16_000) });
const Envelope = z.looseObject({ 'io.modelcontextprotocol/clientCapabilities': z.unknown().optional() }).catch({});
type Replies = Readonly<Record<string, unknown>>;

/** A tool's answer as MCP has it. */
export type Answer = {
  structuredContent?: Readonly<Record<string, unknown>>;
  content: { type: 'text'; text: string }[];
  isError?: boolean;
};

/** True when the client says, with this very request, that it can follow a task. */
export function declaresTasks(clientCapabilities: unknown): boolean {
  return Declared.safeParse(clientCapabilities).success;
}

export interface TaskServing {
  /** What a call of a tool may use; undefined where there is no workspace. */
  readonly contextOf: ((serverContext: ServerContext) => ToolContext) | undefined;
  /** Fails where this peer may not call the tool that does the same. */
  readonly expectAllowed: (tool: string) => void;
  /** False where nobody is there to be shown a form: then a task is over as soon as a session asks, as the plain call is. */
  readonly showsForms: boolean;
}

/**
 * Answers `tasks/get`, `tasks/update` and `tasks/cancel`. A client that does not declare the extension with its request is told so. An id is no
 * permission: what a caller may not do with a session by the tools it may not do with a task, and what it may not see is no task to it.
 */
export function serveTasks(server: Server, { contextOf, expectAllowed, showsForms }: TaskServing): void {
  const serve = (
    method: string,
    tool: string,
    deed: (taskId: string, context: ToolContext, replies: Replies) => Promise<object>,
  ) =>
    server.setRequestHandler(method, { params: Params }, async ({ taskId }, serverContext) => {
      const { envelope, inputResponses } = serverContext.mcpReq;
      if (!declaresTasks(Envelope.parse(envelope ?? {})['io.modelcontextprotocol/clientCapabilities']))
        throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { extensions: TASK_CAPABILITIES } });
      expectAllowed(tool);
      if (!contextOf) throw new ProtocolError(INVALID_PARAMS, 'There are no tasks where there is no project.');
      const context = contextOf(serverContext);
      return teaching(async () => ({ ...(await deed(taskId, context, inputResponses ?? {})) }));
    });
  serve('tasks/get', 'session_wait', (taskId, context) => taskView(taskId, context, showsForms));
  serve('tasks/update', 'request_answer', (taskId, context, replies) => updateTask(taskId, replies, context).then(() => ({})));
  serve('tasks/cancel', 'session_cancel', (taskId, context) => cancelTask(taskId, context).then(() => ({})));
}

/** Makes the call of one of the two tools that wait; what is not over at once is answered with a task. */
export async function callOrTask(
  name: 'session_run' | 'session_wait',
  args: Readonly<Record<string, unknown>>,
  context: ToolContext,
  call: (args: Readonly<Record<string, unknown>>) => Promise<Answer>,
  { showsForms = true, atOnceSeconds = AT_ONCE_SECONDS } = {},
) {
  const { timeoutSeconds: seconds = atOnceSeconds + 1 } = args;
  // what is no number of seconds is for the tool to refuse
  if (typeof seconds !== 'number' || seconds <= atOnceSeconds || seconds > 45) return call(args);
  const answer = await call({ ...args, timeoutSeconds: atOnceSeconds });
  if (answer.isError) return answer;
  const subject = subjectOfCall(name, args, answer);
  const { status, statusMessage, ...times } = await standing(subject, context, showsForms);
  if (status !== 'working' && status !== 'input_required') return answer;
  return { resultType: 'task', content: [], taskId: taskIdOf(subject), status, statusMessage, ...timesOf(times) };
}

/** How the task stands, with its result when it is over. Fails with -32602 for one that is not known. */
async function taskView(taskId: string, context: ToolContext, showsForms: boolean) {
  const { status, statusMessage, result, requests, ...times } = await standing(subjectOf(taskId), context, showsForms);
  return {
    taskId,
    status,
    statusMessage,
    ...timesOf(times),
    ...(status === 'input_required' && {
      inputRequests: Object.fromEntries(requests.map((request) => [request.requestId, formOf(request)])),
    }),
    ...(status === 'completed' && result && { result: resultOf(result) }),
  };
}

/** Answers what the sessions of the task ask. What is not asked, or no more, is left aside; a form that says nothing is refused. */
async function updateTask(taskId: string, replies: Replies, context: ToolContext): Promise<void> {
  const { requests } = await standing(subjectOf(taskId), context);
  for (const request of requests.filter(({ requestId }) => requestId in replies)) {
    const answer = answerOf(request, replies[request.requestId]);
    if (!answer) throw new ProtocolError(INVALID_PARAMS, `The reply to ${request.requestId} has nothing that its form asks for.`);
    await answerOnce(answer, context);
  }
}

/** Cancels the session that the task runs. A task that only waits leaves its sessions alone. */
async function cancelTask(taskId: string, context: ToolContext): Promise<void> {
  const subject = subjectOf(taskId);
  await standing(subject, context);
  const [sessionId] = subject.sessionIds;
  if (subject.kind === 'run' && sessionId !== undefined)
    await context.orchestrator.cancel(sessionId, { by: context.caller.by, reason: CANCELLED });
}

/** Gives an answer; one that was given already, by this call sent twice or by somebody else, stays. */
export async function answerOnce(
  answer: Parameters<ToolContext['orchestrator']['answer']>[0],
  context: ToolContext,
): Promise<void> {
  try {
    await context.orchestrator.answer(answer, context.caller.by);
  } catch (error) {
    if (!(error instanceof ScopecraftError && error.code === 'REQUEST_ANSWERED')) throw error;
  }
}

/** What these sessions ask now. */
export function asksOf(sessionIds: readonly string[], { orchestrator }: ToolContext): readonly OpenRequest[] {
  return sessionIds.flatMap((id) => orchestrator.openRequests(id));
}

export function resultOf(output: object): Answer {
  return { structuredContent: { ...output }, content: [{ type: 'text', text: JSON.stringify(output) }] };
}

interface Standing {
  readonly status: 'working' | 'input_required' | 'completed' | 'cancelled';
  readonly statusMessage: string;
  readonly result?: object;
  readonly requests: readonly OpenRequest[];
  readonly createdAt: number;
  readonly updatedAt: number;
}

async function standing(subject: Subject, context: ToolContext, showsForms = true): Promise<Standing> {
  const { orchestrator } = context;
  try {
    const sessions = subject.sessionIds.map((id) => orchestrator.get(id));
    const requests = asksOf(subject.sessionIds, context);
    const { result, timedOut } = await outcomeOf(subject, context);
    const isOver = !timedOut && (requests.length === 0 || !showsForms || isMet(subject, context));
    const wasCancelled =
      subject.kind === 'run' && sessions.some(({ cause }) => cause?.kind === 'cancelled' && cause.reason === CANCELLED);
    const seen = sessions.flatMap(({ queuedAt, startedAt, settledAt }) => [queuedAt, startedAt ?? 0, settledAt ?? 0]);
    const createdAt = subject.kind === 'wait' ? subject.createdAt : Math.min(...sessions.map(({ queuedAt }) => queuedAt));
    return {
      status: isOver ? (wasCancelled ? 'cancelled' : 'completed') : requests.length > 0 ? 'input_required' : 'working',
      statusMessage: sessions.map((session) => orchestrator.view(session).summary).join(' '),
      result,
      requests,
      createdAt,
      updatedAt: Math.max(createdAt, ...seen, ...requests.map(({ askedAt }) => askedAt)),
    };
  } catch (error) {
    if (error instanceof ScopecraftError) throw new ProtocolError(INVALID_PARAMS, `There is no such task: ${error.message}`);
    throw error;
  }
}

/** What the call would be answered with now. */
async function outcomeOf(subject: Subject, context: ToolContext) {
  if (subject.kind === 'run') {
    const receipt = await receiptOf(subject.sessionIds[0], 0, context);
    return { result: receipt, timedOut: receipt.timedOut };
  }
  const { sessionIds, until, after } = subject;
  const result = await sessionWait.call({ sessionIds, until, ...(after !== undefined && { after }), timeoutSeconds: 0 }, context);
  return { result, timedOut: result.timedOut === true };
}

/** True when the call has what it waits for, though a session asks something. */
function isMet(subject: Subject, { orchestrator }: ToolContext): boolean {
  if (subject.kind === 'wait' && subject.until === 'change') return true;
  const since = subject.kind === 'wait' ? Number(subject.after ?? 0) : 0;
  const sessions = subject.sessionIds.map((id) => orchestrator.get(id));
  if (subject.kind === 'wait' && subject.until === 'all') return sessions.every(isSettled);
  return sessions.some((session) => isSettled(session) && session.seq > since);
}

function timesOf({ createdAt, updatedAt }: Pick<Standing, 'createdAt' | 'updatedAt'>) {
  // it is known as long as its sessions are
  return { createdAt: iso(createdAt), lastUpdatedAt: iso(updatedAt), ttlMs: null, pollIntervalMs: POLL_MS };
}

function subjectOfCall(name: string, args: unknown, answer: Answer): Subject {
  if (name === 'session_run') return { kind: 'run', sessionIds: [Run.parse(answer.structuredContent).id] };
  const { sessionIds, until, after } = Wait.parse(args);
  // what changes from then on
  const from = after ?? (until === 'change' ? Waited.parse(answer.structuredContent).cursor : undefined);
  return { kind: 'wait', sessionIds: [...new Set(sessionIds)], until, after: from, createdAt: Date.now() };
}
