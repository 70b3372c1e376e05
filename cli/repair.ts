// `sc doctor --repair`: shows what mending a damaged journal would lose, and does it only with `--yes`.
import path from 'node:path';
import { fail } from '../core/errors.ts';
import { systemClock } from '../server/clock.ts';
import { readEnvironment } from '../server/config.ts';
import { runtimeDirOf } from '../server/runtime-dir.ts';
import { PROTOCOL } from '../server/version.ts';
import { stateDirOf } from '../server/workspace.ts';
import { planRepair, type RepairPlan, repair } from '../storage/embedded/journal-repair.ts';
import { claimWorkspace } from '../storage/embedded/lock.ts';

declare const __VERSION__: string;

/** Most names that are listed. */
const MOST = 20;

export interface RepairRequest {
  readonly workspace: string;
  /** True: a person said yes. */
  readonly isMeant: boolean;
  readonly json: boolean;
}

/** Exit code 1 when something is to be repaired and was not. Fails with HUB_UNREACHABLE while a hub runs. */
export async function repairWorkspace(
  { workspace, isMeant, json }: RepairRequest,
  print: (text: string) => void,
): Promise<number> {
  const stateDir = stateDirOf(workspace);
  const plan = await planRepair(stateDir);
  const isNeeded = plan.problems.length > 0;
  const aside =
    isNeeded && isMeant
      ? await claimed(workspace, stateDir, () => planRepair(stateDir).then((now) => repair(stateDir, now, systemClock)))
      : undefined;
  if (json) print(JSON.stringify({ ...reportOf(plan), isRepaired: aside !== undefined, aside }, null, 2));
  else print([...linesOf(plan), ...(isNeeded ? [outcomeOf(aside)] : [])].join('\n'));
  return isNeeded && !aside ? 1 : 0;
}

/** Does it as the owner of the workspace, so that no hub starts meanwhile. */
async function claimed<Result>(workspace: string, stateDir: string, deed: () => Promise<Result>): Promise<Result> {
  const lock = await claimWorkspace({
    stateDir,
    runtimeDir: runtimeDirOf(workspace, readEnvironment()),
    version: __VERSION__,
    protocol: PROTOCOL.max,
    onConnection: (socket) => socket.destroy(),
    onFenced: () => {},
  });
  if (!lock)
    return fail(
      'HUB_UNREACHABLE',
      'A hub runs in this workspace; `sc status` shows its pid. End it with `kill PID` before the repair.',
    );
  try {
    return await deed();
  } finally {
    lock.stopListening();
    await lock.release();
  }
}

function linesOf({ check, problems, lost, lostEvents, named, doubtful, unknown, files, state }: RepairPlan): string[] {
  const head = `The journal holds ${check.events} good events${check.events > 0 ? `, ${check.first} to ${check.last}` : ''}; ${state.sessions.size} sessions are known from them and the snapshot.`;
  if (problems.length === 0) return [head, 'Nothing is to be repaired.'];
  const ranges = lost.map(({ from, to }) => (from === to ? String(from) : `${from}–${to}`));
  const names = files.map((file) => path.basename(file));
  return [
    head,
    ...problems.map((says) => `  ${says}`),
    'A repair',
    `  gives up ${lostEvents} event${lostEvents === 1 ? '' : 's'}${ranges.length > 0 ? `: ${listed(ranges)}` : ''}`,
    ...(lostEvents > 0 ? [`  of these sessions, as far as the damaged bytes name them: ${listed(named) || 'none'}`] : []),
    ...(unknown.length > 0
      ? [`  knows these sessions no more, because their beginning is gone (their logs stay): ${listed(unknown)}`]
      : []),
    ...(doubtful.length > 0
      ? [
          `  ends these queued sessions as failed, because they may have been cancelled or started in what is gone: ${listed(doubtful)}`,
        ]
      : []),
    ...(names.length > 0
      ? [`  writes ${listed(names)} anew and keeps the damaged ${names.length === 1 ? 'file' : 'files'} beside`]
      : []),
  ];
}

function outcomeOf(aside: readonly string[] | undefined): string {
  if (!aside) return 'Nothing was changed. `sc doctor --repair --yes` does it.';
  return aside.length > 0 ? `It is done. Kept beside: ${aside.join(', ')}` : 'It is done.';
}

function reportOf({ check, problems, lost, lostEvents, named, doubtful, unknown, files }: RepairPlan) {
  return {
    events: check.events,
    first: check.first,
    last: check.last,
    problems,
    lost,
    lostEvents,
    sessions: named,
    ends: doubtful,
    forgets: unknown,
    files,
  };
}

function listed(words: readonly string[]): string {
  return words.length <= MOST ? words.join(', ') : `${words.slice(0, MOST).join(', ')} and ${words.length - MOST} more`;
}
