// Carries one session through one slot: starts or finds its run, follows it to its end, and settles the session.
// The promise of `run` is the lease of the slot: it resolves only when the run's whole process tree is gone.
import { agentNamed } from './config.ts';
import { type ErrorCode, ScopecraftError, fail } from './errors.ts';
import type { Ledger } from './ledger.ts';
import { outcomeOf } from './outcome.ts';
import type { Clock, Environments, Ids, Job, Logs, Prompts, Run, RunEvent, Runner, Settings, TaskStore } from './ports.ts';
import { type AgentResult, type EndCause, isSettled, type Session } from './session.ts';

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
}

export interface Supervisor {
  /** The deed of the queue: begins a queued session, or takes up an active one after a restart. */
  run(job: Job): Promise<void>;
  /** Asks the session's run to stop. The fact `session.stopping` is recorded first, by the caller or here. */
  stop(sessionId: string, cause: EndCause): Promise<void>;
}

/** Failures of a start that settle the session; any other one is a fault of the hub. */
const START_FAILURES: readonly ErrorCode[] = ['AGENT_MISSING', 'AGENT_UNKNOWN', 'PATH_OUTSIDE', 'STORAGE_FAILED'];

export function createSupervisor(parts: SupervisorParts): Supervisor {
  const { ledger, clock, settings, logs } = parts;
  const live = new Map<string, Run>();

  const current = (id: string) => ledger.session(id) ?? fail('INTERNAL', `Session ${id} is not in the ledger.`);

  async function follow(id: string, run: Run): Promise<void> {
    live.set(id, run);
    const session = current(id);
    const timeoutMs = session.timeoutMs ?? settings.current().resources.sessionTimeoutMs;
    const disarm = clock.after(Math.max(0, (session.runStartedAt ?? clock.now()) + timeoutMs - clock.now()), () => {
      void stop(id, { kind: 'timeout', reason: `it ran longer than ${timeoutMs} ms` });
    });
    try {
      // a stop that was asked before there was a run to stop, or by a hub that is gone
      if (session.stop) await run.stop(session.stop);
      for await (const event of run.events) await take(id, event);
    } finally {
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
    const told = result ?? (reports ? undefined : await plainResult(session, outcome.name !== 'session.completed'));
    await ledger.record({
      name: outcome.name,
      data: { sessionId: session.id, run: session.run, cause: outcome.cause, ...(told && { result: told }) },
    });
  }

  /** What an agent that prints plain text answered: the last of its output. */
  async function plainResult(session: Session, isError: boolean): Promise<AgentResult> {
    const page = await logs.page(session.id, session.run, { tail: 50, limit: 50, characters: 20_000, kinds: ['output'] });
    return { text: page.entries.map((entry) => entry.text).join('\n'), isError };
  }

  async function stop(sessionId: string, cause: EndCause): Promise<void> {
    const session = current(sessionId);
    if (isSettled(session)) return;
    if (!session.stop) await ledger.record({ name: 'session.stopping', data: { sessionId, cause } });
    await live.get(sessionId)?.stop(cause);
  }

  return {
    async run({ sessionId }) {
      let session = current(sessionId);
      if (isSettled(session)) return;
      const found = session.status === 'queued' ? undefined : await parts.runner.adopt(sessionId, session.run);
      if (found) return follow(sessionId, found);
      session = current(sessionId);
      if (!session.stop) {
        const begun = await begin(parts, session);
        if (begun) return follow(sessionId, begun);
        session = current(sessionId);
      }
      // stopped before anything was started: there is nothing to take down
      if (session.stop) await settle(session, { kind: 'ended', exit: { code: 0 }, result: undefined, stderr: '' });
    },
    stop,
  };
}

/** Records the intent, then starts the run. Undefined when it was stopped in between, or when it cannot be started and was settled as failed. */
async function begin(parts: SupervisorParts, { id, run: before, conversationId: known }: Session): Promise<Run | undefined> {
  if (!(await parts.mayStart())) return undefined;
  const { ledger, ids, settings, runner, environments, prompts, tasks } = parts;
  const run = before + 1;
  const conversationId = known ?? ids.uuid();
  await ledger.record({ name: 'session.starting', data: { sessionId: id, run, conversationId, resume: false } });
  const session = ledger.session(id);
  if (!session || session.stop) return undefined;
  try {
    const agent = agentNamed(settings.current(), session.agent) ?? fail('AGENT_UNKNOWN', `Agent "${session.agent}" is not declared any more.`);
    const env = (await environments.find(id)) ?? {};
    const task = await tasks.get(session.taskId).catch(() => undefined);
    return await runner.start({
      sessionId: id,
      run,
      agent: { ...agent, name: session.agent },
      prompt: session.prompt,
      briefing: prompts.briefing(session, task?.file),
      cwd: session.cwd,
      env,
      conversationId,
      resume: false,
      model: session.model ?? agent.model,
      maxCostUsd: session.maxCostUsd,
    });
  } catch (error) {
    if (!(error instanceof ScopecraftError && START_FAILURES.includes(error.code))) throw error;
    await ledger.record({ name: 'session.failed', data: { sessionId: id, run, cause: { kind: 'spawn_failed', reason: error.message } } });
    return undefined;
  }
}
