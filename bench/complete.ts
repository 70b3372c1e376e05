// How long the completion of a task id takes with thousands of task files: what a person waits for between two keys.
import { connect } from '../test/support/clients.ts';
import { makeWorkspace } from '../test/support/workspace.ts';
import { type Bench, taskFiles } from './bench.ts';
import { byTurns, rowOf, timed } from './measure.ts';

const TASKS = 5_000;
const ROUNDS = 300;
const WARM_UP = 10;
const MOST_MS = 20;

export const complete: Bench = {
  name: 'complete',
  async run({ door, echo }) {
    const workspace = await makeWorkspace({ tasks: taskFiles(TASKS) });
    const place = { env: workspace.env, cwd: workspace.path };
    const ours = await connect('modern', { ...place, command: door });
    const peer = await connect('modern', { ...place, command: echo });
    try {
      const typed = (round: number) => ['', 't', 'task-', 'task-4', `task-${round}`, '99'][round % 6] ?? '';
      const turns = {
        ours: (round: number) => timed(() => ours.complete({ prompt: 'start_task' }, 'taskId', typed(round))),
        baseline: () => timed(() => peer.call('echo', { text: 'task-4' })),
      };
      await byTurns({ rounds: WARM_UP, budgetMs: 5_000, ...turns });
      const samples = await byTurns({ rounds: ROUNDS, budgetMs: 15_000, ...turns });
      const target = ({ p99 }: { p99: number }) => ({ text: `p99 ≤ ${MOST_MS} ms`, measured: p99, most: MOST_MS });
      const what = `completion of a task id among ${TASKS.toLocaleString('en')} through the stdio door`;
      return [rowOf({ name: 'complete', what, samples, against: 'echo on the bare SDK', target })];
    } finally {
      await ours.close();
      await peer.close();
      await workspace.close();
    }
  },
};
