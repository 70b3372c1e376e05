// Begins one run of a session: records the intent, makes ready what it works in, and starts it with all that was said to it.
import { agentNamed, canResume, environmentOf } from './agent.ts';
import { costLimit } from './budget.ts';
import { type ErrorCode, fail, ScopecraftError } from './errors.ts';
import type { Git, Worktrees } from './git-ports.ts';
import type { Ledger } from './ledger.ts';
import { narrowedAgent } from './narrowed.ts';
import type { Clock, Environments, Ids, Prompts, Settings, TaskStore } from './ports.ts';
import type { RuleBook } from './rules.ts';
import type { Message, Run, Runner } from './run-ports.ts';
import { isSettled, type Session } from './session.ts';
import { sessionSituation } from './situation.ts';
import { isShortage } from './take-up.ts';
import { pendingPrompts } from './talk.ts';
import type { Task } from './task.ts';

export interface BeginParts {
  readonly ledger: Ledger;
  readonly runner: Runner;
  readonly tasks: TaskStore;
  readonly prompts: Prompts;
  readonly rules: RuleBook;
  readonly environments: Environments;
  readonly worktrees: Worktrees;
  readonly git: Git;
  readonly ids: Ids;
  readonly clock: Clock;
  readonly settings: Settings;
  /** Asked before each start; false when another hub may own the workspace by now: then nothing may be started here. */
  readonly mayStart: () => boolean;
  /** Told of faults that were survived. */
  readonly onError: (error: unknown) => void;
}

interface Beginning {
  readonly session: Session;
  readonly run: number;
  /** How its folder stands, where it has none of its own. */
  readonly mark: string | undefined;
  readonly stopped: AbortSignal;
}

/** How long a start waits for files, processes or room that the machine does not have. */
const SHORTAGE_MS = 10_000;

/** Failures of a start that are the session's own; others are a fault of ours, and are told besides. */
const START_FAILURES: readonly ErrorCode[] = [
  'AGENT_MISSING',
  'AGENT_UNKNOWN',
  'CANCELLED',
  'CONVERSATION_GONE',
  'PATH_OUTSIDE',
  'STORAGE_FAILED',
  'WORKTREE_FAILED',
  'WORKTREE_GONE',
];

/** Undefined when it was stopped in between, also where only the signal tells, or when it cannot be started; then it may have been settled. */
export async function begin(parts: BeginParts, id: string, stopped: AbortSignal): Promise<Run | undefined> {
  if (!parts.mayStart()) return undefined;
  const { ledger, ids, environments, tasks } = parts;
  const before = ledger.session(id);
  if (!before || isSettled(before) || before.stop || stopped.aborted) return undefined;
  const { conversationId: known, resumes } = before;
  const run = before.run + 1;
  // a conversation that is not gone on with begins anew: the agent refuses an id it has seen
  const conversationId = known !== undefined && (resumes === true || before.run === 0) ? known : ids.uuid();
  const resume = known !== undefined && resumes === true;
  // read while the intent goes to disk
  const reading = Promise.all([
    environments.find(id),
    tasks.get(before.taskId).catch(() => undefined),
    before.mark === undefined && before.wantsWorktree === undefined ? markOf(parts, before.cwd) : undefined,
    resume ? parts.rules.refresh().catch(parts.onError) : undefined,
  ]);
  reading.catch(() => undefined);
  const isKept = await ledger.record({ name: 'session.starting', data: { sessionId: id, run, conversationId, resume } }).then(
    () => true,
    (error: unknown) => {
      // where what put it into the line could not be kept either, that is taken back and its caller was told
      if (ledger.session(id)?.status === before.status) unlessFull(error);
      return false;
    },
  );
  const mayGoOn = () => {
    const session = ledger.session(id);
    return session?.status === 'starting' && !session.stop && !stopped.aborted;
  };
  if (!isKept || !mayGoOn()) return undefined;
  try {
    const [values = {}, task, mark] = await reading;
    await prepare(parts, { session: before, run, mark, stopped });
    // it was stopped while its worktree was being made
    if (!mayGoOn()) return undefined;
    const session = ledger.session(id) ?? before;
    const agent =
      agentNamed(parts.settings.current(), session.agent) ??
      fail('AGENT_UNKNOWN', `Agent "${session.agent}" is not declared any more.`);
    const names = new Set(environmentOf(agent));
    return await parts.runner.start({
      sessionId: id,
      run,
      type: session.type,
      agent: { ...narrowedAgent(agent, session), name: session.agent },
      messages: messagesFor(parts, session, task, resume && canResume(agent)),
      briefing: parts.prompts.briefing(session, task?.file),
      cwd: session.cwd,
      env: Object.fromEntries(Object.entries(values).filter(([name]) => names.has(name))),
      conversationId,
      resume,
      model: session.model ?? agent.model,
      maxCostUsd: costLimit(ledger, session, parts.settings.current().budget),
      deny: parts.settings.current().requests.deny,
      resultSchema: session.resultSchema,
    });
  } catch (error) {
    const isKnown = error instanceof ScopecraftError && START_FAILURES.includes(error.code);
    if (!isKnown) parts.onError(error);
    // what broke when it was stopped is not why it ended
    if (!mayGoOn()) return undefined;
    if (isShortage(error)) {
      await again(parts, { session: ledger.session(id) ?? before, run, error, resume: before.resumes === true });
      return undefined;
    }
    const reason = isKnown ? error.message : 'it could not be started; the log of the hub says why';
    await ledger.record({ name: 'session.failed', data: { sessionId: id, run, cause: { kind: 'spawn_failed', reason } } });
    return undefined;
  }
}

/** Puts it into the line again, at its place, until the machine may have room. */
async function again(
  { ledger, clock }: BeginParts,
  { session, run, error, resume }: { session: Session; run: number; error: unknown; resume: boolean },
): Promise<void> {
  const { id: sessionId, orderKey } = session;
  const reason = `the machine was short of something: ${error instanceof Error ? error.message : error}`;
  const cause = { kind: 'spawn_failed', reason } as const;
  const notBefore = clock.now() + SHORTAGE_MS;
  await ledger.record({ name: 'session.requeued', data: { sessionId, run, cause, notBefore, orderKey, resume } });
}

/** Opens its worktree where it wants one, and keeps how its folder stands before it begins. */
async function prepare(parts: BeginParts, { session, run, mark, stopped }: Beginning): Promise<void> {
  const { ledger, worktrees } = parts;
  const { id: sessionId, wantsWorktree, worktree: known } = session;
  if (wantsWorktree === undefined) {
    if (mark !== undefined) await ledger.record({ name: 'session.prepared', data: { sessionId, run, mark } });
    return;
  }
  const branch = wantsWorktree === true ? undefined : wantsWorktree;
  const worktree = await worktrees.open({ sessionId, branch, known, signal: stopped });
  const cwd = known ? session.cwd : await worktrees.folder(worktree, session.cwd);
  const fresh = session.mark ?? (await markOf(parts, cwd));
  await ledger.record({ name: 'session.prepared', data: { sessionId, run, worktree, cwd, mark: fresh } });
}

/** How the folder stands; a run starts without knowing it too. */
async function markOf({ git, onError }: BeginParts, folder: string): Promise<string | undefined> {
  try {
    return await git.mark(folder);
  } catch (error) {
    onError(error);
    return undefined;
  }
}

/** What this run is told: where it goes on, what was said meanwhile; where it begins anew, all that was ever said. */
function messagesFor(parts: BeginParts, session: Session, task: Task | undefined, resume: boolean): readonly Message[] {
  const own = (text: string): Message => ({ promptId: parts.ids.uuid(), text, mode: 'queue' });
  const asMessages = (said: NonNullable<Session['prompts']>) =>
    said.map(({ promptId, text }): Message => ({ promptId, text, mode: 'queue' }));
  if (!resume) return [own(session.prompt), ...asMessages((session.prompts ?? []).filter(({ state }) => state !== 'failed'))];
  const pending = asMessages(pendingPrompts(session));
  const isRetry = session.cause !== undefined && session.cause.kind !== 'done';
  return isRetry || pending.length === 0 ? [own(againText(parts, session, task)), ...pending] : pending;
}

/** What is said to a session that is tried again: by the rule that fits, or, where none can, in the default wording. */
function againText(parts: BeginParts, session: Session, task: Task | undefined): string {
  const { ledger, clock, settings, rules } = parts;
  try {
    const situation = sessionSituation(
      { ledger, now: clock.now(), budget: settings.current().budget },
      'continue',
      session,
      task,
    );
    const [rule] = rules.select(situation).matches.filter((one) => one.arguments.every(({ required }) => !required));
    if (rule) return rules.render(rule, situation);
  } catch (error) {
    parts.onError(error);
  }
  return parts.prompts.again(session);
}

/** Passes over a full disk: what could not be written is as it was. */
export function unlessFull(error: unknown): undefined {
  if (!(error instanceof ScopecraftError && error.code === 'STORAGE_FULL')) throw error;
}
