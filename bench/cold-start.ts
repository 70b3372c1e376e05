// How soon a door answers that has to start its hub first: from the spawn to the answer of `server/discover`.
import { spawn } from 'node:child_process';
import { makeWorkspace } from '../test/support/workspace.ts';
import { type Bench, taskFiles } from './bench.ts';
import { byTurns, rowOf } from './measure.ts';
import type { Command } from './programs.ts';

const SPAWNS = 20;
const P95_MS = 500;
const PATIENCE_MS = 15_000;
const DISCOVER = `${JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'server/discover',
  params: {
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
})}\n`;

export const coldStart: Bench = {
  name: 'cold',
  async run({ door, echo }) {
    const workspace = await makeWorkspace({ tasks: taskFiles(3) });
    const place = { env: workspace.env, cwd: workspace.path };
    try {
      const turns = {
        ours: async () => {
          const ms = await firstAnswer(door, place);
          await workspace.endHub();
          return ms;
        },
        baseline: () => firstAnswer(echo, place),
      };
      // the first ever of a workspace is one of the twenty: its state folder is made then
      const samples = await byTurns({ rounds: SPAWNS, budgetMs: 35_000, ...turns });
      const target = ({ p95 }: { p95: number }) => ({ text: `p95 ≤ ${P95_MS} ms`, measured: p95, most: P95_MS });
      return [
        rowOf({
          name: 'cold',
          what: 'first answer of a door, hub start included',
          samples,
          against: 'first answer of the bare SDK',
          target,
        }),
      ];
    } finally {
      await workspace.close();
    }
  },
};

/** Starts the program, asks at once, and ends it after its answer. */
function firstAnswer(
  [program, ...args]: Command,
  place: { env: Readonly<Record<string, string>>; cwd: string },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const from = performance.now();
    const child = spawn(program, args, { ...place, stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    let answeredMs: number | undefined;
    let complaints = '';
    child.stdout.on('data', (chunk) => {
      said += String(chunk);
      if (answeredMs !== undefined || !said.includes('\n')) return;
      answeredMs = performance.now() - from;
      child.stdin.end();
    });
    child.stderr.on('data', (chunk) => {
      complaints += String(chunk);
    });
    child.stdin.on('error', () => {});
    child.stdin.write(DISCOVER);
    const limit = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    child.once('error', reject).once('close', () => {
      clearTimeout(limit);
      if (answeredMs !== undefined && said.includes('"result"')) resolve(answeredMs);
      else reject(new Error(`${args.at(-1)} did not answer server/discover: ${said}${complaints}`));
    });
  });
}
