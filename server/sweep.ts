// What a hub does first about the machine: ends what runs of this workspace left on it while no hub was there, and says so.
import type { Ledger } from '../core/ledger.ts';
import { isActive } from '../core/session.ts';
import { endOrphans } from '../runners/orphans.ts';
import { placeOf } from '../runners/process.ts';
import { systemClock } from './clock.ts';
import type { Programs } from './programs.ts';

export interface SweepParts {
  readonly ledger: Pick<Ledger, 'session' | 'record'>;
  readonly workspace: string;
  readonly programs: Programs;
  readonly log: (line: string) => void;
}

/** Resolves when nothing of it is left. To be called when active sessions were taken up. */
export async function sweepOrphans({ ledger, workspace, programs, log }: SweepParts): Promise<void> {
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
