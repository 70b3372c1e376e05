// Keeps task files true: after each durable event of a session, its state and history are written into the file of its task.
//
// The ledger leads, the file follows, a moment later: whoever waits for an answer goes first, so files are written when nothing more comes in,
// or when that takes long. Events that come while a file rests, waits for its turn or is being written share the next write, which takes the
// state as it is then. Nothing here ever fails a caller: what cannot be written is
// reported, once per file and reason.
import { relative } from 'node:path';
import { setImmediate as othersTurn } from 'node:timers/promises';
import PQueue from 'p-queue';
import { inTurn } from '../core/in-turn.ts';
import type { Ledger } from '../core/ledger.ts';
import type { Session } from '../core/session.ts';
import { sync as forceFolder } from './atomic-write.ts';
import { asProjectionError, type ProjectionError, type ProjectionProblem } from './projection-problem.ts';
import { sharedDeed } from './shared-deed.ts';
import type { TaskFiles } from './task-files.ts';
import { writeSessions } from './task-write.ts';

export type { ProjectionCode, ProjectionProblem } from './projection-problem.ts';

export interface TaskProjector {
  /** Writes a session into its task file if the file does not say so already; resolves when that is done or was reported. Never rejects. */
  project(session: Session): Promise<void>;
  /** The same for what another hub may have left, one file after the other, those that changed last first. Ends early at `close`. */
  catchUp(sessions: Iterable<Session>): Promise<void>;
  /** Resolves when nothing waits to be written. */
  settled(): Promise<void>;
  /** Listens no more, and resolves when what was heard is written. */
  close(): Promise<void>;
}

export interface TaskProjectorOptions {
  readonly ledger: Pick<Ledger, 'subscribe' | 'session'>;
  readonly taskFiles: Pick<TaskFiles, 'root' | 'locate'>;
  readonly onProblem: (problem: ProjectionProblem) => void;
  /** Pauses after which a replaced file is looked at again for edits that came too late, in milliseconds. */
  readonly lateLooksMs?: readonly number[];
  /** For so long nothing must have happened before files are written, in milliseconds. */
  readonly restMs?: number;
  /** Where something happens all the time they are written after so long. */
  readonly mostRestMs?: number;
}

/** How many files are written at once. */
const WRITERS = 8;
/** Files are begun one after the other, each when nothing has happened for a breath, or for so long that it must be. In milliseconds. */
const BREATH_MS = 10;
const MOST_BREATHLESS_MS = 25;
/** A hub that has just come has others to serve first. */
const CATCH_UP_AFTER_MS = 1000;

interface Waiting {
  readonly sessions: Map<string, Session>;
  readonly done: Promise<void>;
}

/** Starts to follow the ledger. */
export function createTaskProjector({
  ledger,
  taskFiles,
  onProblem,
  lateLooksMs = [0, 20, 100],
  restMs = 100,
  mostRestMs = 1_000,
}: TaskProjectorOptions): TaskProjector {
  const { root } = taskFiles;
  const writers = new PQueue({ concurrency: WRITERS });
  const waiting = new Map<string, Waiting>();
  const turns = new Map<string, Promise<unknown>>();
  const reported = new Set<string>();
  const resting = new Set<() => void>();
  let lull: { readonly until: number; lastAt: number; readonly over: Promise<void> } | undefined;
  let isClosing = false;
  let happenedAt = 0;

  const rest = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        resting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, isClosing ? 0 : ms);
      resting.add(end);
    });

  /** Until nothing happens any more: one rest for all who come meanwhile, and whoever comes makes it longer. */
  const quiet = (): Promise<void> => {
    const now = performance.now();
    lull ??= { until: now + mostRestMs, lastAt: now, over: lullFrom() };
    lull.lastAt = now;
    return lull.over;
  };
  const lullFrom = async (): Promise<void> => {
    let ms = Math.min(restMs, mostRestMs);
    do {
      await rest(ms);
      const { until = 0, lastAt = 0 } = lull ?? {};
      ms = Math.min(lastAt + restMs, until) - performance.now();
    } while (ms > 0 && !isClosing);
    lull = undefined;
  };

  /** Between two bursts of calls, and between two files, so that no call waits for more than one of them. */
  const breaths = new PQueue({ concurrency: 1 });
  const breath = async (): Promise<void> => {
    await othersTurn();
    const until = performance.now() + MOST_BREATHLESS_MS;
    for (let ms = 1; ms > 0 && !isClosing; ) {
      const now = performance.now();
      ms = Math.min(happenedAt + BREATH_MS, until) - now;
      if (ms > 0) await rest(ms);
    }
  };

  const project = (session: Session, rested = () => Promise.resolve()): Promise<void> => {
    const { taskId } = session;
    const known = waiting.get(taskId);
    if (known) {
      known.sessions.set(session.id, session);
      return known.done;
    }
    const sessions = new Map([[session.id, session]]);
    const done = inTurn(turns, taskId, () =>
      rested().then(() => writers.add(() => breaths.add(breath).then(() => write(taskId, sessions)))),
    );
    waiting.set(taskId, { sessions, done });
    return done;
  };

  const write = async (taskId: string, sessions: ReadonlyMap<string, Session>): Promise<void> => {
    // from here on, what comes in waits for the next write
    waiting.delete(taskId);
    let file: string | undefined;
    try {
      await writeSessions({
        taskFiles,
        taskId,
        sessions: () => [...sessions.values()].map((session) => ledger.session(session.id) ?? session),
        lateLooksMs,
        onDisk,
        sync,
        inTurn: (place, deed) => {
          file = relative(root, place);
          return inTurn(turns, place, deed);
        },
      });
      if (file !== undefined) forget(file);
    } catch (error) {
      report(taskId, file, asProjectionError(error));
    }
  };

  // one file at a time goes to disk: more of them would make the ledger wait for its own syncs
  const disk = new PQueue({ concurrency: 1 });
  const onDisk = <Result>(deed: () => Promise<Result>): Promise<Result> => disk.add(deed);
  const folderSyncs = new Map<string, () => Promise<void>>();
  const sync = (folder: string): Promise<void> => {
    const sync = folderSyncs.get(folder) ?? sharedDeed(() => onDisk(() => forceFolder(folder)));
    folderSyncs.set(folder, sync);
    return sync();
  };

  const report = (taskId: string, file: string | undefined, { code, message }: ProjectionError): void => {
    const key = keyOf(file ?? taskId, code);
    if (reported.has(key)) return;
    reported.add(key);
    onProblem({ taskId, file, code, message: `Task "${taskId}" does not show its sessions: ${message}.` });
  };

  /** A file that could be written again is reported anew when it fails again. */
  const forget = (file: string): void => {
    for (const key of [...reported]) if (key.startsWith(keyOf(file, ''))) reported.delete(key);
  };

  const settled = async (): Promise<void> => {
    while (turns.size > 0) await Promise.allSettled(turns.values());
  };

  const unsubscribe = ledger.subscribe((event) => {
    happenedAt = performance.now();
    if (event.name === 'session.spoke' || event.name === 'session.starting' || !('sessionId' in event.data)) return;
    const session = ledger.session(event.data.sessionId);
    const rested = quiet();
    if (session) void project(session, () => rested);
  });

  return {
    project: (session) => project(session),
    async catchUp(sessions) {
      await rest(CATCH_UP_AFTER_MS);
      const ofTask = new Map<string, Session[]>();
      for (const session of [...sessions].sort((a, b) => b.seq - a.seq)) {
        const others = ofTask.get(session.taskId);
        if (others) others.push(session);
        else ofTask.set(session.taskId, [session]);
      }
      for (const alike of ofTask.values()) {
        if (isClosing) return;
        await Promise.all(alike.map((session) => project(session)));
      }
    },
    settled,
    close() {
      unsubscribe();
      isClosing = true;
      for (const end of [...resting]) end();
      return settled();
    },
  };
}

function keyOf(file: string, code: string): string {
  return `${file}\0${code}`;
}
