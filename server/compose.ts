// Puts the parts of one workspace together: the one place that knows which implementation stands behind which port.
import { createHash } from 'node:crypto';
import { agentNamed } from '../core/agent.ts';
import { budgetHolds } from '../core/budget.ts';
import { createGuard } from '../core/guard.ts';
import { watchIdle } from '../core/idle.ts';
import { learningBy } from '../core/learning.ts';
import { watchLine } from '../core/line-watch.ts';
import { createOrchestrator, type Orchestrator } from '../core/orchestrator.ts';
import type { Passes, Settings } from '../core/ports.ts';
import { recover } from '../core/recovery.ts';
import { createRequests } from '../core/requests.ts';
import { startRetention } from '../core/retention.ts';
import type { ServeRun } from '../core/run-ports.ts';
import type { Secrets } from '../core/secrets.ts';
import { isActive } from '../core/session.ts';
import { bytesOf } from '../core/size.ts';
import { createSupervisor } from '../core/supervisor.ts';
import { createWatchdog } from '../core/watchdog.ts';
import { removeWorktreesOf } from '../core/worktree-deeds.ts';
import { createRuleBook } from '../prompts/library.ts';
import { prompts } from '../prompts/render.ts';
import { createMeter } from '../runners/meter.ts';
import { readLine } from '../runners/transcript.ts';
import { createEmbeddedQueue } from '../storage/embedded/queue.ts';
import { whileThereIsRoom } from '../storage/embedded/room.ts';
import { removeSessionFolders } from '../storage/embedded/session-folders.ts';
import { createEnvironments } from '../storage/environments.ts';
import { folderInside } from '../storage/folder-inside.ts';
import { createRuleFiles } from '../storage/rule-files.ts';
import { createTaskFiles } from '../storage/task-files.ts';
import { createTaskProjector } from '../storage/task-projector.ts';
import { randomIds, systemClock } from './clock.ts';
import { complainTo } from './complain.ts';
import type { RunAccess } from './http.ts';
import { openKept } from './kept.ts';
import { learningSecrets, maskedLogs, withoutSecrets } from './masking.ts';
import type { Programs } from './programs.ts';
import { createRunning } from './running.ts';
import { sweepLeftovers } from './sweep.ts';
import type { RunIdentity } from './token.ts';
import { findUnreachable } from './unreachable.ts';

export interface ComposeOptions {
  readonly workspace: string;
  readonly stateDir: string;
  /** Folder of the user for sockets. */
  readonly runtimeDir: string;
  readonly programs: Programs;
  readonly version: string;
  readonly settings: Settings;
  /** The variables of the hub itself. */
  readonly environment: Readonly<Record<string, string>>;
  /** Number of the hub's claim. */
  readonly epoch: number;
  /** False when this hub lost the workspace. */
  readonly stillOwner: () => boolean;
  /** What a run is given to call this hub. */
  readonly grant: (identity: RunIdentity) => RunAccess;
  /** Where the calls that runs make on their output are worked on. */
  readonly serveRun: ServeRun;
  /** What a guest is given to call this hub. */
  readonly grantShare: Passes['grantShare'];
  /** False for the address of an earlier hub that this one could not have. */
  readonly isReachable: (url: string) => boolean;
  readonly secrets: Secrets;
  /** Told what a person should find in the hub's log. */
  readonly log: (line: string) => void;
  /** Ends the hub; its keeper starts another one that reads what is on disk. */
  readonly giveUp: (error: unknown) => void;
}

export interface Composed {
  readonly orchestrator: Orchestrator;
  /** True while something is queued or runs. */
  isBusy(): boolean;
  close(reason: string): Promise<void>;
}

/** Reads what is on disk, takes up what lives, and goes on with the line. */
export async function compose(options: ComposeOptions): Promise<Composed> {
  const { workspace, stateDir, programs, settings, secrets, epoch, log, giveUp } = options;
  const config = settings.current();
  const complain = complainTo(log);
  const leaving = new AbortController();
  let roomChanged = () => {};
  const kept = await openKept({ stateDir, settings, secrets, epoch, log, onRoomChange: () => roomChanged() });
  const { ledger, room } = kept;
  const agentOf = (sessionId: string) => agentNamed(settings.current(), ledger.session(sessionId)?.agent ?? '');
  const kindOf = (sessionId: string) => agentOf(sessionId)?.kind ?? 'command';
  const tasks = withoutSecrets(await createTaskFiles({ workspace, folders: config.workspace.taskFolders }), secrets);
  const environments = learningSecrets(whileThereIsRoom(createEnvironments(stateDir), room), secrets);
  // what lives may say its secrets before anything else makes them known to this hub
  const living = [...ledger.sessions()].filter(isActive);
  await Promise.all(living.map(({ id }) => environments.find(id).catch(complain('secrets'))));
  // looked at before anything can be started, and removed when there is time
  const keptBefore = environments.kept().catch((error: unknown) => {
    complain('environments')(error);
    return [];
  });
  const rules = createRuleBook({ files: createRuleFiles(workspace), clock: systemClock, onError: complain('rules') });
  const { runner, terminals, git, worktrees } = createRunning({
    ...options,
    environments,
    typeOf: (sessionId) => ledger.session(sessionId)?.type ?? 'autonomous',
    agentOf,
  });
  const logs = maskedLogs({
    environments,
    secrets,
    stateDir,
    reader(sessionId) {
      const agent = agentOf(sessionId);
      const output = agent?.kind === 'command' ? agent.output : 'stream-json';
      const tools = new Map<string, string>();
      return (line) => readLine(line, output, tools).entries;
    },
  });
  const queue = createEmbeddedQueue({
    conditions: () => ({
      cap: settings.current().resources.maxConcurrentSessions,
      interactiveCap: settings.current().resources.maxInteractiveSessions,
      now: systemClock.now(),
      isPaused: ledger.isPaused,
      hold: budgetHolds(ledger, settings.current().budget, systemClock.now()),
      guard: ledger.roomProblem() ?? guard.holdReason(),
      isShort: guard.shortOf().length > 0,
      startAfter: (job) => guard.staggeredUntil(kindOf(job.sessionId)),
    }),
    onAdmitted: ({ sessionId }) => guard.admitted(sessionId, kindOf(sessionId)),
    onError: (error) => (leaving.signal.aborted ? complain('leaving')(error) : giveUp(error)),
  });
  const mayStart = () => {
    const isOwner = options.stillOwner();
    if (!isOwner) queue.close();
    return isOwner;
  };
  const requests = createRequests({ ledger, clock: systemClock, settings, onError: complain('requests') });
  const supervisor = createSupervisor({
    ledger,
    requests,
    serveRun: options.serveRun,
    runner,
    tasks,
    prompts,
    rules,
    logs,
    environments,
    git,
    worktrees,
    ids: randomIds,
    clock: systemClock,
    settings,
    mayStart,
    watchdog: () => watchdog,
    onError: complain('session'),
  });
  const memoryLimit = () => bytesOf(settings.current().resources.maxMemoryPerSession) || Number.POSITIVE_INFINITY;
  const guard = createGuard({
    clock: systemClock,
    meter: createMeter({ stateDir, exactAbove: () => 0.8 * memoryLimit() }),
    settings,
    ledger,
    stop: supervisor.stop,
    changed: () => queue.admit(),
    onError: complain('guard'),
  });
  const watchdog = createWatchdog({
    clock: systemClock,
    settings,
    stop: supervisor.stop,
    // a run that waits for its own sessions, for an answer, or computes, may be quiet
    mayBeQuiet: (id) =>
      ledger.session(id)?.status === 'waiting' ||
      queue.line().active.some((run) => run.sessionId === id && run.isLent) ||
      (guard.usage(id)?.cpu ?? 0) > 0.1,
    onError: complain('watchdog'),
  });
  const projector = createTaskProjector({ ledger, taskFiles: tasks, onProblem: ({ message }) => log(`task file: ${message}`) });
  const isCutOff = findUnreachable({ ledger, stateDir, isReachable: options.isReachable });
  const orchestrator = createOrchestrator({
    isCutOff,
    passes: { grantShare: options.grantShare },
    ledger,
    requests,
    terminals,
    queue,
    tasks,
    logs,
    supervisor,
    worktrees,
    guard,
    prompts,
    rules,
    learning: learningBy({ ledger, clock: systemClock, settings }),
    runner,
    environments,
    ids: randomIds,
    clock: systemClock,
    settings,
    workspace,
    folder: (given) => folderInside(workspace, given),
    mask: secrets.mask,
    digest: (text) => createHash('sha256').update(text).digest('hex').slice(0, 32),
  });

  roomChanged = () => queue.admit();
  const isNew = ledger.seq === 0;
  const { adopted, queued } = recover(ledger, queue);
  const endIdle = watchIdle({ ledger, clock: systemClock, settings, stop: supervisor.stop, onError: complain('idle') });
  queue.work((job) => supervisor.run(job));
  const endWatch = watchLine({ queue, ledger, clock: systemClock, settings, onError: complain('line') });
  await Promise.all([
    ledger.record({ name: 'hub.started', data: { epoch, pid: process.pid, version: options.version, adopted, queued } }),
    keptBefore,
  ]);
  void projector.catchUp(ledger.sessions());
  const { signal } = leaving;
  const left = { ledger, workspace, programs, log, tasks, environments, keptBefore, isNew, signal };
  const swept = sweepLeftovers(left).catch(complain('sweeping'));
  const retention = startRetention({
    ledger,
    clock: systemClock,
    settings,
    removeFolders: (ids) => Promise.all([removeSessionFolders(stateDir, ids), environments.forget(ids)]),
    removeWorktrees: (ids) => removeWorktreesOf(worktrees, ids),
    onError: complain('cleaning up'),
  });

  return {
    orchestrator,
    isBusy: () => ledger.counts().queued + ledger.counts().active > 0,
    async close(reason) {
      leaving.abort();
      endWatch();
      endIdle();
      requests.close();
      queue.close();
      retention.close();
      room.close();
      await guard.close();
      await swept;
      // on a full disk the next start finds out by itself that this hub is gone
      await ledger.record({ name: 'hub.stopped', data: { reason } }).catch(complain('leaving'));
      await projector.close();
      await kept.close();
    },
  };
}
