// Carries one session through one slot: starts or finds its run, follows it to its end, and settles the session.
// The promise of `run` is the lease of the slot: it resolves only when the run's whole process tree is gone.
import { costLimit } from './budget.ts';
import { agentNamed, environmentOf } from './config.ts';
import { type ErrorCode, fail, ScopecraftError } from './errors.ts';
import type { Ledger } from './ledger.ts';
import { outcomeOf } from './outcome.ts';
import type { Clock, Environments, Ids, Logs, Prompts, Run, RunEvent, Runner, Settings, TaskStore } from './ports.ts';
import { jobOf } from './recovery.ts';
import { retryAt } from './retry.ts';
import type { WaitingJob } from './scheduler.ts';
import { type AgentResult, type EndCause, isSettled, type Session } from './session.ts';
import type { Watchdog } from './watchdog.ts';

export interface SupervisorParts {
  readonly ledger: Ledger;
  readonly runner: Runner;
  readonly tasks: TaskStore;
  readonly prompts: Prompts;
  readonly logs: Logs;
  readonly environments: Environments;
  readonly ids: Ids;
  readonly clock: Clock;
  readonly settings: Settings;
  /** Asked before each start; false when another hub may own the workspace by now: then nothing may be started here. */
  readonly mayStart: () => Promise<boolean>;
  /** Who looks after runs that say nothing, or too much. */
  readonly watchdog: () => Watchdog;
}

export interface Supervisor {
  /** The deed of the queue: begins a queued session, or takes up an active one after a restart. Resolves with the job of its next try, if there is one. */
  run(job: { readonly sessionId: string }): Promise<WaitingJob | undefined>;
  /** Asks the session's run to stop. The fact `session.stopping` is recorded first, by the caller or here. */
  stop(sessionId: string, cause: EndCause): Promise<void>;
}

/** Failures of a start that settle the session; any other one is a fault of the hub. */
const START_FAILURES: readonly ErrorCode[] = ['AGENT_MISSING', 'AGENT_UNKNOWN', 'PATH_OUTSIDE', 'STORAGE_FAILED'];

export function createSupervisor(parts: SupervisorParts): Supervisor {
  const { ledger, clock, settings, logs } = parts;
  const live = new Map<string, Run>();

  const current = (id: string) => ledger.session(id) ?? fail('INTERNAL', `Session ${id} is not in the ledger.`);

  async function follow(id: string, run: Run, isFound: boolean): Promise<void> {
    live.set(id, run);
    const session = current(id);
    const timeoutMs = session.timeoutMs ?? settings.current().resources.sessionTimeoutMs;
    const disarm = clock.after(Math.max(0, (session.runStartedAt ?? clock.now()) + timeoutMs - clock.now()), () => {
      void stop(id, { kind: 'timeout', reason: `it ran longer than ${timeoutMs} ms` });
    });
    const agent = agentNamed(settings.current(), session.agent);
    const watch = parts
      .watchdog()
      .watch({ sessionId: id, output: agent?.kind === 'command' ? agent.output : 'stream-json', isFound });
    try {
      // a stop that was asked before there was a run to stop, or by a hub that is gone
      if (session.stop) await run.stop(session.stop);
      for await (const event of run.events) {
        if (event.kind === 'spoke') watch.spoke(event.bytes);
        await take(id, event);
      }
    } finally {
      watch.done();
      disarm();
      live.delete(id);
    }
  }

  async function take(id: string, event: RunEvent): Promise<void> {
    const session = current(id);
    if (event.kind === 'started' && session.status === 'starting') {
      await ledger.record({ name: 'session.started', data: { sessionId: id, run: session.run, process: event.process } });
    }
    if (event.kind === 'spoke') ledger.publish({ name: 'session.spoke', sessionId: id, bytes: event.bytes });
    if (event.kind === 'ended') await settle(session, event);
  }

  async function settle(session: Session, { exit, result, stderr }: Extract<RunEvent, { kind: 'ended' }>): Promise<void> {
    const agent = agentNamed(settings.current(), session.agent);
    const reports = agent?.kind !== 'command' || agent.output === 'stream-json';
    const outcome = outcomeOf({ exit, result, stop: session.stop, reports, stderr });
    const { retryPolicy } = settings.current().queue;
    const failure = { cause: outcome.cause, result, runs: session.run };
    const again =
      session.stop || outcome.name === 'session.completed'
        ? undefined
        : retryAt(failure, retryPolicy, clock.now(), parts.ids.random());
    if (again !== undefined) {
      const resume = retryPolicy.resume && (await hasBegun(session));
      const data = {
        sessionId: session.id,
        run: session.run,
        cause: outcome.cause,
        ...(result && { result }),
        notBefore: again,
        // its age in the line counts on
        orderKey: session.orderKey,
        resume,
      };
      await ledger.record({ name: 'session.requeued', data });
      return;
    }
    const told = result ?? (reports ? undefined : await plainResult(session, outcome.name !== 'session.completed'));
    await ledger.record({
      name: outcome.name,
      data: { sessionId: session.id, run: session.run, cause: outcome.cause, ...(told && { result: told }) },
    });
  }

  /** True when the agent said something, so that there is a conversation to go on with. */
  async function hasBegun(session: Session): Promise<boolean> {
    const page = await logs.page(session.id, session.run, {
      tail: 1,
      limit: 1,
      characters: 100,
      kinds: ['text', 'tool_use', 'tool_result'],
    });
    return page.entries.length > 0;
  }

  /** What an agent that prints plain text answered: the last of its output. */
  async function plainResult(session: Session, isError: boolean): Promise<AgentResult> {
    const page = await logs.page(session.id, session.run, { tail: 50, limit: 50, characters: 20_000, kinds: ['output'] });
    return { text: page.entries.map((entry) => entry.text).join('\n'), isError };
  }

  async function stop(sessionId: string, cause: EndCause): Promise<void> {
    const session = current(sessionId);
    if (isSettled(session)) return;
    // on a full disk the run is stopped all the same; how it ended is recorded when there is space again
    if (!session.stop) await ledger.record({ name: 'session.stopping', data: { sessionId, cause } }).catch(unlessFull);
    await live.get(sessionId)?.stop(cause);
  }

  async function carry(sessionId: string): Promise<void> {
    let session = current(sessionId);
    if (isSettled(session)) return;
    const found = session.status === 'queued' ? undefined : await parts.runner.adopt(sessionId, session.run);
    if (found) return follow(sessionId, found, true);
    session = current(sessionId);
    if (!session.stop) {
      const begun = await begin(parts, session);
      if (begun) return follow(sessionId, begun, false);
      const left = ledger.session(sessionId);
      if (!left) return;
      session = left;
    }
    // stopped before anything was started: there is nothing to take down
    if (session.stop) await settle(session, { kind: 'ended', exit: { code: 0 }, result: undefined, stderr: '' });
  }

  return {
    async run({ sessionId }) {
      // a start whose fact could not be written is taken back, and with it its session
      if (!ledger.session(sessionId)) return undefined;
      await carry(sessionId);
      const session = ledger.session(sessionId);
      return session?.status === 'queued' ? jobOf(ledger, session) : undefined;
    },
    stop,
  };
}

/** Records the intent, then starts the run. Undefined when it was stopped in between, or when it cannot be started and was settled as failed. */
async function begin(
  parts: SupervisorParts,
  { id, run: before, conversationId: known, resumes }: Session,
): Promise<Run | undefined> {
  if (!(await parts.mayStart())) return undefined;
  const { ledger, ids, settings, runner, environments, prompts, tasks } = parts;
  const run = before + 1;
  // a conversation that is not gone on with begins anew: the agent refuses an id it has seen
  const conversationId = known !== undefined && (resumes === true || before === 0) ? known : ids.uuid();
  const resume = known !== undefined && resumes === true;
  await ledger.record({ name: 'session.starting', data: { sessionId: id, run, conversationId, resume } }).catch(unlessFull);
  const session = ledger.session(id);
  if (session?.status !== 'starting' || session.stop) return undefined;
  try {
    const agent =
      agentNamed(settings.current(), session.agent) ??
      fail('AGENT_UNKNOWN', `Agent "${session.agent}" is not declared any more.`);
    const names = new Set(environmentOf(agent));
    const kept = Object.entries((await environments.find(id)) ?? {});
    const env = Object.fromEntries(kept.filter(([name]) => names.has(name)));
    const task = await tasks.get(session.taskId).catch(() => undefined);
    return await runner.start({
      sessionId: id,
      run,
      agent: { ...agent, name: session.agent },
      prompt: resume ? prompts.again(session) : session.prompt,
      briefing: prompts.briefing(session, task?.file),
      cwd: session.cwd,
      env,
      conversationId,
      resume,
      model: session.model ?? agent.model,
      maxCostUsd: costLimit(ledger, session, settings.current().budget),
    });
  } catch (error) {
    if (!(error instanceof ScopecraftError && START_FAILURES.includes(error.code))) throw error;
    await ledger.record({
      name: 'session.failed',
      data: { sessionId: id, run, cause: { kind: 'spawn_failed', reason: error.message } },
    });
    return undefined;
  }
}

/** Passes over a full disk: what could not be written is as it was. */
function unlessFull(error: unknown): void {
  if (!(error instanceof ScopecraftError && error.code === 'STORAGE_FULL')) throw error;
}
