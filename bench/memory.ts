// How much memory door and hub keep, as the system counts it, after some calls; beside the SDK's echo server and a Node that does nothing.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type TestClient } from '../test/support/clients.ts';
import { makeWorkspace } from '../test/support/workspace.ts';
import { type Bench, completed, startSession, taskFiles } from './bench.ts';
import { rowOf } from './measure.ts';

const SAMPLES = 5;
const SETTLE_MS = 300;
const CALLS = 50;

export const memory: Bench = {
  name: 'memory',
  async run({ door, echo }) {
    const workspace = await makeWorkspace({ tasks: taskFiles(3) });
    const place = { env: workspace.env, cwd: workspace.path };
    const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 60_000)'], { ...place, stdio: 'ignore' });
    const ours = await connect('modern', { ...place, command: door });
    const peer = await connect('modern', { ...place, command: echo });
    try {
      await used(ours, 'queue_status', {});
      await used(peer, 'echo', { text: 'How long is the line?' });
      await completed(ours, await startSession(ours, { taskId: 'task-0', agent: 'demo', prompt: '@@say done' }));
      const pids = { door: ours.pid, hub: (await workspace.hub())?.pid, echo: peer.pid, node: bare.pid };
      const seen: Record<keyof typeof pids, number[]> = { door: [], hub: [], echo: [], node: [] };
      for (let sample = 0; sample < SAMPLES; sample += 1) {
        await delay(SETTLE_MS);
        seen.door.push(await residentMb(pids.door));
        seen.hub.push(await residentMb(pids.hub));
        seen.echo.push(await residentMb(pids.echo));
        seen.node.push(await residentMb(pids.node));
      }
      const common = { unit: 'MB' } as const;
      return [
        rowOf({
          ...common,
          name: 'memory door',
          what: 'resident, after 50 calls',
          samples: { ours: seen.door, baseline: seen.node },
          against: 'bare node',
        }),
        rowOf({
          ...common,
          name: 'memory hub',
          what: 'resident, after 50 calls and a session',
          samples: { ours: seen.hub, baseline: seen.echo },
          against: 'bare SDK server',
        }),
        rowOf({
          ...common,
          name: 'memory hub',
          what: 'resident, after 50 calls and a session',
          samples: { ours: seen.hub, baseline: seen.node },
          against: 'bare node',
        }),
      ];
    } finally {
      bare.kill('SIGKILL');
      await ours.close();
      await peer.close();
      await workspace.close();
    }
  },
};

async function used(client: TestClient, tool: string, args: Readonly<Record<string, unknown>>): Promise<void> {
  for (let call = 0; call < CALLS; call += 1) await client.call(tool, args);
}

/** What the system counts of a process, in megabytes. */
export async function residentMb(pid: number | null | undefined): Promise<number> {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}
