// One contender for the ownership of a workspace: takes rounds from its parent over IPC and says whether it owns.
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { claimWorkspace, type Lock } from '../../storage/embedded/lock.ts';

const Round = z.object({ round: z.number(), stateDir: z.string(), runtimeDir: z.string(), stallMs: z.number() });
let held: Lock | undefined;

process.on('message', (message) => void contend(Round.parse(message)));
process.on('disconnect', () => process.exit(0));

async function contend({ round, stateDir, runtimeDir, stallMs }: z.infer<typeof Round>): Promise<void> {
  held?.stopListening();
  try {
    held = await claimWorkspace({
      stateDir,
      runtimeDir,
      version: '1.0.0',
      protocol: 1,
      onConnection: (socket) => socket.on('error', () => socket.destroy()).resume(),
      onFenced: (why) => process.send?.({ round, fenced: why }),
      pause: async () => {
        if (stallMs > 0) await sleep(Math.random() * stallMs);
      },
    });
    process.send?.({ round, epoch: held?.claim.epoch ?? 0, still: held?.stillOwner() ?? false });
  } catch (error) {
    process.send?.({ round, epoch: -1, error: String(error) });
  }
}
