// How long a whole session of the real Claude Code takes through us, beside the same prompt given to `claude -p`; the model is the stub.
import { runClaude } from '../test/support/claude.ts';
import { connect } from '../test/support/clients.ts';
import { startStubModel } from '../test/support/stub-model.ts';
import { makeWorkspace } from '../test/support/workspace.ts';
import { type Bench, completed, startSession, taskFiles } from './bench.ts';
import { byTurns, rowOf, timed } from './measure.ts';

const PAIRS = 40;
const MORE_MS = 100;
const PROMPT = '@@say Hello.';

export const claudeSession: Bench = {
  name: 'claude',
  async run({ door }) {
    const model = await startStubModel();
    const workspace = await makeWorkspace({ modelUrl: model.url, tasks: taskFiles(PAIRS) });
    const { root, home, env, path: cwd } = workspace;
    const client = await connect('modern', { env, cwd, command: door });
    const sandbox = { root, home, cwd, env, close: async () => {} };
    try {
      const turns = {
        ours: (round: number) =>
          timed(async () =>
            completed(client, await startSession(client, { taskId: `task-${round}`, agent: 'claude', prompt: PROMPT })),
          ),
        baseline: () =>
          timed(async () => {
            const { code, stderr } = await runClaude({ sandbox, prompt: PROMPT });
            if (code !== 0) throw new Error(`claude ended with ${code}: ${stderr}`);
          }),
      };
      await byTurns({ rounds: 1, budgetMs: 20_000, ...turns });
      const samples = await byTurns({ rounds: PAIRS, budgetMs: 80_000, ...turns });
      const target = (figures: { p50: number }, baseline: { p50: number }) => ({
        text: `p50 ≤ plain + ${MORE_MS} ms`,
        measured: figures.p50,
        most: baseline.p50 + MORE_MS,
      });
      return [rowOf({ name: 'claude', what: 'session of Claude Code, start to result', samples, against: 'claude -p', target })];
    } finally {
      await client.close();
      await workspace.close();
      await model.close();
    }
  },
};
