// Ends the processes that carry a mark and that nobody looks after: of a set-up whose hub was killed, or of a run that cannot be followed.
import { setTimeout as pause } from 'node:timers/promises';
import { createProcessTree } from './process-tree.ts';
import { LEFTOVERS, takeDown } from './stop-ladder.ts';

/** Gently first. Resolves when none is left, or after some seconds of killing. */
export async function endMarked(mark: string): Promise<void> {
  const tree = createProcessTree(() => ({ mark, supervisor: undefined, agent: undefined }));
  await takeDown({
    tree,
    steps: LEFTOVERS,
    agent: () => undefined,
    isUrgent: () => false,
    pause,
    elapsed: () => performance.now(),
  });
}
