// What a hub does first about what others left: ends what runs of this workspace left on the machine while no hub was there, and says so; and,
// where it begins anew, says which task files tell of sessions that nobody knows any more.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ledger } from '../core/ledger.ts';
import type { Environments } from '../core/ports.ts';
import { isActive } from '../core/session.ts';
import { forgottenText } from '../core/task.ts';
import { endOrphans } from '../runners/orphans.ts';
import { placeOf } from '../runners/process.ts';
import type { TaskFiles } from '../storage/task-files.ts';
import { tasksWithSessions } from '../storage/tasks-with-sessions.ts';
import { systemClock } from './clock.ts';
import type { Programs } from './programs.ts';

/** Looking at every process of the machine takes a while, and a door waits. */
const SWEEP_AFTER_MS = 300;

export interface LeftoverParts extends SweepParts, ForgottenParts {
  readonly ledger: Pick<Ledger, 'session' | 'sessions' | 'record'>;
  readonly environments: Pick<Environments, 'forget'>;
  /** The sessions whose environments were kept when this hub began, as far as that could be found out. */
  readonly keptBefore: Promise<readonly string[]>;
  /** The hub found no ledger. */
  readonly isNew: boolean;
}

/** Does all of that, when the first doors were let in. */
export async function sweepLeftovers(parts: LeftoverParts): Promise<void> {
  const { ledger, environments, keptBefore, isNew } = parts;
  await sleep(SWEEP_AFTER_MS);
  await sweepOrphans(parts);
  await environments.forget((await keptBefore).filter((id) => !ledger.session(id)));
  if (isNew) await tellForgotten(parts);
}

export interface SweepParts {
  readonly ledger: Pick<Ledger, 'session' | 'record'>;
  readonly workspace: string;
  readonly programs: Programs;
  readonly log: (line: string) => void;
}

/** Resolves when nothing of it is left. To be called when active sessions were taken up. */
async function sweepOrphans({ ledger, workspace, programs, log }: SweepParts): Promise<void> {
  const processes = await endOrphans({
    place: placeOf(workspace),
    isActive(sessionId, run) {
      const session = ledger.session(sessionId);
      return session !== undefined && isActive(session) && (run === undefined || session.run === run);
    },
    spared: [programs.keeper, programs.hub],
    clock: systemClock,
  });
  if (processes === 0) return;
  log(`Ended ${processes} processes that runs had left behind.`);
  await ledger.record({ name: 'hub.swept', data: { processes } });
}

export interface ForgottenParts {
  readonly ledger: Pick<Ledger, 'sessions'>;
  readonly tasks: TaskFiles;
  readonly log: (line: string) => void;
  /** Ends it early, and without a word. */
  readonly signal: AbortSignal;
}

/** For a hub that found no ledger. Takes its time, so that nobody waits for it. */
async function tellForgotten({ ledger, tasks, log, signal }: ForgottenParts): Promise<void> {
  const told = await tasksWithSessions(tasks, signal);
  // also of what was started meanwhile
  const known = new Set(Array.from(ledger.sessions(), ({ taskId }) => taskId));
  const forgotten = told.filter((id) => !known.has(id)).length;
  if (forgotten > 0 && !signal.aborted) log(forgottenText(forgotten));
}
