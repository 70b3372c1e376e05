// Watches over the two processes of a run, its supervisor and its agent, and sees how it ended.
import type { Exit } from '../core/run-ports.ts';
import type { ProcessRef } from '../core/session.ts';
import { isAlive } from './process.ts';
import { fence, isBeingClaimed, readChild, readClaim, readExit } from './run-folder.ts';

export interface ExitWatch {
  /** As far as they are known by the last look. */
  readonly supervisor: ProcessRef | undefined;
  readonly agent: ProcessRef | undefined;
  /** The exit as far as it can be seen; undefined while the run is under way. */
  look(): Exit | undefined;
}

/** `isExpected` says whether a supervisor may still be on its way to its claim; when not, the run is fenced. */
export function watchExit(folder: string, isExpected: () => boolean): ExitWatch {
  let supervisor: ProcessRef | undefined;
  let agent: ProcessRef | undefined;
  let isClaimed = false;

  function isSupervised(): boolean {
    if (supervisor) return isAlive(supervisor);
    if (isExpected()) return true;
    // asked once, because it writes into the folder that is being watched
    isClaimed ||= !fence(folder);
    // whose it is the next look tells; a claim that cannot be read is nobody's once nobody lives who tried for it
    return isClaimed && (readClaim(folder) !== undefined || isBeingClaimed(folder));
  }

  return {
    get supervisor() {
      return supervisor;
    },
    get agent() {
      return agent;
    },
    look() {
      if (!supervisor) {
        const claim = readClaim(folder);
        if (claim === 'fenced') return 'lost';
        supervisor = claim;
      }
      agent ??= readChild(folder);
      const isGone = !isSupervised() && !(agent && isAlive(agent));
      // asked last: the supervisor writes it before it goes
      const code = readExit(folder);
      if (code !== undefined) return { code };
      return isGone ? 'lost' : undefined;
    },
  };
}
