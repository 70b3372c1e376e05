// How long a small call takes through the door: client, door, hub and back, beside a server made of the SDK alone.
import { connect } from '../test/support/clients.ts';
import { makeWorkspace } from '../test/support/workspace.ts';
import { type Bench, taskFiles } from './bench.ts';
import { byTurns, type Row, rowOf, timed } from './measure.ts';

const ROUNDS = 400;
const WARM_UP = 50;
const TIMES_ECHO = 3;

export const latency: Bench = {
  name: 'latency',
  async run({ door, echo }) {
    const workspace = await makeWorkspace({ tasks: taskFiles(3) });
    const place = { env: workspace.env, cwd: workspace.path };
    const ours = await connect('modern', { ...place, command: door });
    const peer = await connect('modern', { ...place, command: echo });
    try {
      const by = { name: 'latency', what: 'queue_status through the stdio door', against: 'echo on the bare SDK' };
      return [await besideEcho({ ours, peer, most: TIMES_ECHO, ...by })];
    } finally {
      await ours.close();
      await peer.close();
      await workspace.close();
    }
  },
};

interface Caller {
  call(tool: string, args?: Record<string, unknown>): Promise<unknown>;
}

export interface BesideEcho {
  readonly ours: Caller;
  /** A server of nothing but the SDK and `echo`. */
  readonly peer: Caller;
  /** So many times as long as the echo it may take. */
  readonly most: number;
  readonly name: string;
  readonly what: string;
  readonly against: string;
}

/** Calls `queue_status` of ours and `echo` of the peer by turns. */
export async function besideEcho({ ours, peer, most, ...by }: BesideEcho): Promise<Row> {
  const turns = {
    ours: () => timed(() => ours.call('queue_status')),
    baseline: () => timed(() => peer.call('echo', { text: 'How long is the line?' })),
  };
  await byTurns({ rounds: WARM_UP, budgetMs: 5_000, ...turns });
  const samples = await byTurns({ rounds: ROUNDS, budgetMs: 15_000, ...turns });
  const target = (figures: { p50: number }, baseline: { p50: number }) => ({
    text: `p50 ≤ ${most} × echo`,
    measured: figures.p50,
    most: most * baseline.p50,
  });
  return rowOf({ ...by, samples, target });
}
