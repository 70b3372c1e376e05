// What becomes of a session when a run of it has ended: settled with its cause, or put into the line again, for a retry or for what was said
// to it and not heard.
import { agentNamed, canResume } from './agent.ts';
import type { AgentResult, EndCause } from './ending.ts';
import { fail } from './errors.ts';
import type { Git } from './git-ports.ts';
import type { Ledger } from './ledger.ts';
import { type Outcome, outcomeOf } from './outcome.ts';
import type { Clock, Ids, Logs, Settings, TaskStore } from './ports.ts';
import { dataOf } from './result-schema.ts';
import { retryAt } from './retry.ts';
import type { RunEvent } from './run-ports.ts';
import type { Session } from './session.ts';
import { pendingPrompts } from './talk.ts';

export interface SettleParts {
  readonly ledger: Ledger;
  readonly logs: Logs;
  readonly git: Git;
  readonly tasks: TaskStore;
  readonly ids: Ids;
  readonly clock: Clock;
  readonly settings: Settings;
  readonly onError: (error: unknown) => void;
}

type Ended = Extract<RunEvent, { kind: 'ended' }>;

/** Records how the run ended. `askedStop` tells a stop that was asked for and is not in the ledger, and forgets it. */
export async function settle(
  parts: SettleParts,
  id: string,
  { exit, result, stderr }: Ended,
  askedStop: () => EndCause | undefined,
): Promise<void> {
  const { ledger, clock } = parts;
  const current = () => ledger.session(id) ?? fail('INTERNAL', `Session ${id} is not in the ledger.`);
  const before = current();
  const agent = agentNamed(parts.settings.current(), before.agent);
  const reports = before.type === 'autonomous' && (agent?.kind !== 'command' || agent.output === 'stream-json');
  const { retryPolicy } = parts.settings.current().queue;
  const looksDone = outcomeOf({ exit, result, stop: before.stop, reports, stderr }).name === 'session.completed';
  const [begun, plain, changes] = await Promise.all([
    // asked only for a next try, of which a stop can but make less
    !looksDone && hasBegun(parts, before),
    result || reports ? undefined : plainText(parts, before),
    // what changed is good to know, and no reason to leave a run unsettled
    unlessBroken(parts, changesOf(parts, before)),
  ]);
  // a stop may have come meanwhile; from here to the record nothing is waited for
  const session = current();
  const asked = askedStop();
  const stop = session.stop ?? asked;
  const said = result ?? (plain === undefined ? undefined : { text: plain, isError: false });
  const { name, cause, data } = checked(session, outcomeOf({ exit, result, stop, reports, stderr }), said);
  // only data that was asked for and checked is kept
  const { data: _unchecked, ...answer } = said ?? { text: '', isError: false };
  const told = said && { ...answer, isError: said.isError || (!result && name !== 'session.completed'), ...(data && { data }) };
  const facts = { sessionId: id, run: session.run, cause, ...(told && { result: told }) };
  const goesOn = name === 'session.completed' && agent !== undefined && canResume(agent) && session.type === 'autonomous';
  const again = (notBefore: number, resume: boolean) =>
    // its age in the line counts on
    ledger.record({ name: 'session.requeued', data: { ...facts, notBefore, orderKey: session.orderKey, resume } });
  // a prompt that a run was told from its beginning and never took up is no reason for another one
  if (goesOn && pendingPrompts(session).some(({ begunWith }) => begunWith === undefined)) {
    await again(clock.now(), true);
    return;
  }
  const next =
    stop || name === 'session.completed'
      ? undefined
      : retryAt({ cause, result, runs: session.run - (session.runsBefore ?? 0) }, retryPolicy, clock.now(), parts.ids.random());
  if (next !== undefined) {
    await again(next, retryPolicy.resume && begun);
    return;
  }
  await ledger.record({ name, data: { ...facts, ...(changes && { changes }) } });
}

/** What it changed in its folder. The files of tasks that have sessions are left out: those we write ourselves, and for others meanwhile. */
async function changesOf({ ledger, git, tasks }: SettleParts, { mark, cwd, taskId }: Session) {
  if (mark === undefined) return undefined;
  // it may have been moved a moment ago
  const own = await tasks.get(taskId).catch(() => undefined);
  const written = await tasks.filesOf(new Set([...ledger.sessions()].map((session) => session.taskId)));
  return git.since(cwd, mark, own ? [own.file, ...written] : written);
}

/** The outcome with the structured result that was asked for: without one that fits, it has not done its work. */
function checked(session: Session, outcome: Outcome, result: AgentResult | undefined) {
  if (session.resultSchema === undefined || outcome.name !== 'session.completed') return { ...outcome, data: undefined };
  const found = dataOf(session.resultSchema, result);
  if ('data' in found) return { ...outcome, data: found.data };
  return { name: 'session.failed', cause: { kind: 'schema_mismatch', reason: found.problem }, data: undefined } as const;
}

/** True when the agent said something, so that there is a conversation to go on with. */
async function hasBegun(parts: SettleParts, { id, run }: Session): Promise<boolean> {
  const kinds = ['text', 'tool_use', 'tool_result'] as const;
  const page = await unlessBroken(parts, parts.logs.page(id, run, { tail: 1, limit: 1, characters: 100, kinds }));
  return (page?.entries.length ?? 0) > 0;
}

/** What an agent that prints plain text answered: the last of its output. */
async function plainText(parts: SettleParts, { id, run }: Session): Promise<string> {
  const query = { tail: 50, limit: 50, characters: 20_000, kinds: ['output'] } as const;
  const page = await unlessBroken(parts, parts.logs.page(id, run, query));
  return (page?.entries ?? []).map((entry) => entry.text).join('\n');
}

/** What was looked for; where that fails, the fault is told and there is nothing. */
async function unlessBroken<Found>({ onError }: SettleParts, looking: Promise<Found>): Promise<Found | undefined> {
  try {
    return await looking;
  } catch (error) {
    onError(error);
    return undefined;
  }
}
