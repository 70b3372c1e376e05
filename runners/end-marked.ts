// Ends the processes that carry a mark and that nobody looks after: of a set-up whose hub was killed, or of a run that cannot be followed.
import { setTimeout as pause } from 'node:timers/promises';
import { createProcessTree } from './process-tree.ts';
import { LEFTOVERS, takeDown } from './stop-ladder.ts';

/** Resolves when none is left, however long that takes: nothing of a run may go on when its session has settled. */
export async function endRun(mark: string): Promise<void> {
  while (!(await endMarked(mark))) await pause(1000);
}

/** Gently first. True when none is left; false when some could not be killed in a few seconds. */
export function endMarked(mark: string): Promise<boolean> {
  const tree = createProcessTree(() => ({ mark, supervisor: undefined, agent: undefined }));
  return takeDown({
    tree,
    steps: LEFTOVERS,
    agent: () => undefined,
    isUrgent: () => false,
    pause,
    elapsed: () => performance.now(),
  });
}
