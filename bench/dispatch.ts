// How soon the agent's process runs after session_start has answered. The agent is `date`, which prints the time first thing.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { connect } from '../test/support/clients.ts';
import { makeWorkspace } from '../test/support/workspace.ts';
import { type Bench, completed, startSession, taskFiles } from './bench.ts';
import { byTurns, rowOf } from './measure.ts';

const ROUNDS = 50;
const TASKS = 10;
const MOST_MS = 30;
const PROGRAM = 'date';
const ARGS = ['+%s%N'];

export const dispatch: Bench = {
  name: 'dispatch',
  async run({ door }) {
    const userConfig = { agents: { clock: { kind: 'command', command: PROGRAM, args: ARGS } } };
    const workspace = await makeWorkspace({ tasks: taskFiles(TASKS), userConfig });
    const { env, path: cwd } = workspace;
    const client = await connect('modern', { env, cwd, command: door });
    const fromCall: number[] = [];
    try {
      const ours = async (round: number) => {
        const now = wallClock();
        const calledAt = now();
        const id = await startSession(client, { taskId: `task-${round % TASKS}`, agent: 'clock', prompt: 'What time is it?' });
        const answeredAt = now();
        await completed(client, id);
        const ranAt = timeIn(await readFile(path.join(cwd, '.scopecraft', 'state', 'sessions', id, '1', 'out'), 'utf8'));
        fromCall.push(ranAt - calledAt);
        return ranAt - answeredAt;
      };
      const baseline = async () => {
        const now = wallClock();
        const calledAt = now();
        return timeIn(await printed(env, cwd)) - calledAt;
      };
      await byTurns({ rounds: 3, budgetMs: 3_000, ours, baseline });
      fromCall.length = 0;
      const samples = await byTurns({ rounds: ROUNDS, budgetMs: 15_000, ours, baseline });
      const against = 'bare spawn of the same program';
      const target = ({ p50 }: { p50: number }) => ({ text: `p50 ≤ ${MOST_MS} ms`, measured: p50, most: MOST_MS });
      return [
        rowOf({ name: 'dispatch', what: 'session_start answered → agent runs', samples, against, target }),
        rowOf({
          name: 'dispatch call',
          what: 'session_start called → agent runs',
          samples: { ...samples, ours: fromCall },
          against,
        }),
      ];
    } finally {
      await client.close();
      await workspace.close();
    }
  },
};

/** The system's time with fractions of a millisecond: whole ones from the clock, the rest from the moment it ticked. */
function wallClock(): () => number {
  const before = Date.now();
  let tick = before;
  while (tick === before) tick = Date.now();
  const since = performance.now();
  return () => tick + performance.now() - since;
}

function timeIn(nanoseconds: string): number {
  if (!/^\d{19}\n$/.test(nanoseconds)) throw new Error(`${PROGRAM} did not print the time in nanoseconds: ${nanoseconds}`);
  return Number(BigInt(nanoseconds.trim()) / 1000n) / 1000;
}

function printed(env: Readonly<Record<string, string>>, cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(PROGRAM, ARGS, { env, cwd, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += String(chunk);
    });
    child.once('error', reject).once('close', () => resolve(text));
  });
}
