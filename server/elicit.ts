// Where a client can show a person a form, a call that waits shows what its sessions ask, and goes on waiting with the answer.
//
// A form that was put aside is final: the call is then answered as it is where there are no forms, and the model answers with request_answer.
// What comes back with the reply says which call and which sessions it belongs to; it is signed, bound to its caller, and good for ten minutes.
import { createHash } from 'node:crypto';
import { createRequestStateCodec, inputRequired, ProtocolError, type ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { isSettled } from '../core/session.ts';
import type { ToolContext } from '../tools/define.ts';
import { receiptOf } from '../tools/session-run.ts';
import { answerOf, formOf, isAccepted } from './forms.ts';
import { type Answer, answerOnce, asksOf, resultOf } from './tasks.ts';
import { INVALID_PARAMS } from './teaching.ts';

const STATE_SECONDS = 600;

const State = z.object({ call: z.string(), sessionIds: z.array(z.string()) });
type State = z.infer<typeof State>;
const Sessions = z.union([
  z.looseObject({ id: z.string() }).transform(({ id }) => [id]),
  z.looseObject({ sessions: z.array(z.unknown()) }).transform(() => undefined),
]);
const WaitArgs = z.looseObject({ sessionIds: z.array(z.string()) });
const ForAll = z.looseObject({ until: z.literal('all') });
const Seconds = z.looseObject({ timeoutSeconds: z.number().min(0).max(45).default(25) });
const Elicitation = z.looseObject({ elicitation: z.looseObject({ form: z.unknown().optional(), url: z.unknown().optional() }) });

export type StateCodec = ReturnType<typeof createStateCodec>;

/** Signs what goes with a form for one caller. */
export function createStateCodec(key: Uint8Array, caller: string) {
  return createRequestStateCodec<State>({ key, ttlSeconds: STATE_SECONDS, bind: ({ mcpReq }) => `${mcpReq.method} ${caller}` });
}

/** True when the client can show a form. */
export function canShowForms(clientCapabilities: unknown): boolean {
  const { data } = Elicitation.safeParse(clientCapabilities);
  return data !== undefined && (data.elicitation.form !== undefined || data.elicitation.url === undefined);
}

export interface FormCall {
  readonly name: 'session_run' | 'session_wait';
  readonly args: Readonly<Record<string, unknown>>;
  readonly context: ToolContext;
  readonly server: ServerContext;
  readonly codec: StateCodec;
  readonly call: (args: Readonly<Record<string, unknown>>) => Promise<Answer>;
}

/** Makes the call of one of the two tools that wait; what is asked meanwhile goes to the person, and so on until there is a result. */
export async function callWithForms({ name, args, context, server, codec, call }: FormCall) {
  const { mcpReq } = server;
  const digest = createHash('sha256')
    .update(JSON.stringify([name, args]))
    .digest('base64url');
  const state = State.optional().parse(mcpReq.requestState<State>());
  if (state && state.call !== digest) throw new ProtocolError(INVALID_PARAMS, 'This reply belongs to another call.');
  const isAside = state ? await takeReplies(state.sessionIds, mcpReq.inputResponses ?? {}, context) : false;
  // what was started is not started again
  const [started] = name === 'session_run' && state ? state.sessionIds : [];
  // it has waited its time already
  const left = isAside ? { ...args, timeoutSeconds: 0 } : args;
  const answer = started === undefined ? await call(left) : resultOf(await receiptOf(started, secondsOf(left), context));
  if (answer.isError || isAside) return answer;
  const sessionIds = state?.sessionIds ?? sessionsOf(args, answer);
  const requests = asksOf(sessionIds, context);
  const settled = sessionIds.filter((id) => isSettled(context.orchestrator.get(id)));
  const isOver = settled.length > 0 && (!ForAll.safeParse(args).success || settled.length === sessionIds.length);
  if (requests.length === 0 || isOver) return answer;
  return inputRequired({
    inputRequests: Object.fromEntries(requests.map((request) => [request.requestId, formOf(request)])),
    requestState: await codec.mint({ call: digest, sessionIds: [...sessionIds] }, server),
  });
}

/** Gives the sessions their answers. True when a form was put aside, or has nothing in it that could be given. */
async function takeReplies(
  sessionIds: readonly string[],
  replies: Readonly<Record<string, unknown>>,
  context: ToolContext,
): Promise<boolean> {
  let isAside = false;
  for (const request of asksOf(sessionIds, context)) {
    const reply = replies[request.requestId];
    const answer = isAccepted(reply) ? answerOf(request, reply) : undefined;
    if (answer) await answerOnce(answer, context);
    else isAside ||= request.requestId in replies;
  }
  return isAside;
}

function sessionsOf(args: unknown, answer: Answer): readonly string[] {
  return Sessions.parse(answer.structuredContent) ?? WaitArgs.parse(args).sessionIds;
}

function secondsOf(args: unknown): number {
  return Seconds.parse(args).timeoutSeconds;
}
