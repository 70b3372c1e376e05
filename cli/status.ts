// `sc status`: the hub of this workspace, as far as there is one. Starts nothing.
import { z } from 'zod';
import { ScopecraftError } from '../core/errors.ts';
import { connectClient, workspaceOf } from './client.ts';
import { localOptions } from './local-options.ts';
import { linesOf, wordsOf } from './render.ts';

const Queue = z.looseObject({
  slots: z.looseObject({ total: z.number(), taken: z.number() }),
  waiting: z.number(),
  isPaused: z.boolean(),
  pauseReason: z.string().optional(),
  active: z.array(z.looseObject({ id: z.string(), status: z.string(), agent: z.string(), startedAt: z.string().optional() })),
});

export async function status(args: readonly string[], print: (text: string) => void): Promise<number> {
  const options = localOptions('status', args, print);
  if (!options) return 0;
  const workspace = workspaceOf(options.workspace);
  try {
    const client = await connectClient({ workspace, start: false });
    const { slots, waiting, active, isPaused, pauseReason } = Queue.parse(await client.call('queue_status', {}));
    const total = z.looseObject({ total: z.number() }).parse(await client.call('session_list', { limit: 1 })).total;
    const { pid, version, epoch } = client.hub;
    await client.close();
    const facts = {
      workspace,
      hub: 'running',
      pid,
      version,
      epoch,
      slots: `${slots.taken} of ${slots.total} taken`,
      waiting,
      paused: isPaused ? (pauseReason ?? 'yes; sc queue resume goes on') : undefined,
      sessions: total,
    };
    if (options.json) print(JSON.stringify({ ...facts, slots, active, isPaused, pauseReason, paused: undefined }, null, 2));
    else
      print(
        [
          linesOf(facts),
          ...active.map(({ id, status, agent, startedAt }) => `  ${id}  ${status}  ${agent}  ${wordsOf('startedAt', startedAt)}`),
        ].join('\n'),
      );
  } catch (error) {
    if (!(error instanceof ScopecraftError && error.code === 'HUB_UNREACHABLE')) throw error;
    const facts = { workspace, hub: 'not running', why: error.message };
    print(
      options.json
        ? JSON.stringify(facts, null, 2)
        : `${linesOf(facts)}\nIt starts by itself with the next command that needs it.`,
    );
  }
  return 0;
}
