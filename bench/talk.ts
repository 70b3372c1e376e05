// How soon a prompt has its receipt with the real Claude Code at its prompt, and how soon a question is seen by a client that waits for it.
import { open } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { connect, type TestClient } from '../test/support/clients.ts';
import { startStubModel } from '../test/support/stub-model.ts';
import { makeWorkspace, type Workspace } from '../test/support/workspace.ts';
import { type Bench, startSession, taskFiles } from './bench.ts';
import { byTurns, type Figures, type Row, rowOf, timed } from './measure.ts';
import type { Programs } from './programs.ts';

const PROMPTS = 40;
const QUESTIONS = 40;
const RECEIPT_P50_MS = 150;
const RECEIPT_P99_MS = 1000;
const SEEN_P99_MS = 100;
/** Long enough for a client to stand in its wait before the agent asks. */
const BEFORE_ASKING_MS = 300;

const Asking = z.looseObject({
  id: z.string(),
  waitsFor: z.string().optional(),
  requests: z.array(z.looseObject({ requestId: z.string(), askedAt: z.string() })).optional(),
});
const Waited = z.looseObject({ sessions: z.array(Asking), cursor: z.string(), timedOut: z.boolean() });
const Said = z.looseObject({ receipt: z.looseObject({ state: z.string(), reason: z.string().optional() }) });

export const talk: Bench = {
  name: 'talk',
  async run(programs) {
    return [...(await receipts(programs)), await questions(programs)];
  },
};

async function receipts({ door }: Programs): Promise<readonly Row[]> {
  const model = await startStubModel();
  const workspace = await makeWorkspace({ modelUrl: model.url, tasks: taskFiles(1) });
  const client = await connect('modern', { env: workspace.env, cwd: workspace.path, command: door });
  try {
    const sessionId = await startSession(client, {
      taskId: 'task-0',
      agent: 'claude',
      type: 'interactive',
      prompt: '@@say ready',
    });
    await waiting(client, sessionId, ({ waitsFor }) => waitsFor === 'prompt');
    const ours = async (round: number) => {
      const ms = await timed(async () => {
        const prompt = `@@say answer ${round}`;
        const { receipt } = Said.parse(await client.call('session_prompt', { sessionId, prompt, timeoutSeconds: 40 }));
        if (receipt.state !== 'delivered') throw new Error(`A prompt is ${receipt.state}: ${receipt.reason}`);
      });
      await waiting(client, sessionId, ({ waitsFor }) => waitsFor === 'prompt');
      return ms;
    };
    const baseline = () => timed(() => client.call('queue_status'));
    await byTurns({ rounds: 2, budgetMs: 20_000, ours, baseline });
    const samples = await byTurns({ rounds: PROMPTS, budgetMs: 60_000, ours, baseline });
    await client.call('session_cancel', { sessionId });
    await waiting(client, sessionId, () => true, 'all');
    const row = (name: string, target: (figures: Figures) => { text: string; measured: number; most: number }) =>
      rowOf({ name, what: 'session_prompt to its receipt, Claude Code at its prompt', samples, against: 'queue_status', target });
    return [
      row('talk p50', ({ p50 }) => ({ text: `p50 ≤ ${RECEIPT_P50_MS} ms`, measured: p50, most: RECEIPT_P50_MS })),
      row('talk p99', ({ p99 }) => ({ text: `p99 ≤ ${RECEIPT_P99_MS} ms`, measured: p99, most: RECEIPT_P99_MS })),
    ];
  } finally {
    await client.close();
    await workspace.close({ leftovers: 'end' });
    await model.close();
  }
}

async function questions({ door }: Programs): Promise<Row> {
  const workspace: Workspace = await makeWorkspace({ tasks: taskFiles(1) });
  const client = await connect('modern', { env: workspace.env, cwd: workspace.path, command: door });
  const file = await open(path.join(workspace.root, 'baseline'), 'a');
  try {
    const prompt = Array.from({ length: QUESTIONS + 2 }, () => `@@sleep ${BEFORE_ASKING_MS}\n@@question Which?`).join('\n');
    const sessionId = await startSession(client, { taskId: 'task-0', agent: 'demo', prompt });
    const ours = async () => {
      const { requests } = await waiting(client, sessionId, (row) => row.requests !== undefined);
      // both clocks are this machine's
      const ms = Date.now() - Date.parse(requests?.[0]?.askedAt ?? '');
      await client.call('request_answer', { requestId: requests?.[0]?.requestId, decision: 'answer', text: 'this' });
      return ms;
    };
    const baseline = () =>
      timed(async () => {
        await file.write('x'.repeat(700));
        await file.datasync();
      });
    await byTurns({ rounds: 2, budgetMs: 20_000, ours, baseline });
    const samples = await byTurns({ rounds: QUESTIONS, budgetMs: 60_000, ours, baseline });
    await client.call('session_cancel', { sessionId });
    return rowOf({
      name: 'talk question',
      what: 'asked to seen by a session_wait that blocks',
      samples,
      against: 'one append and fdatasync',
      target: ({ p99 }) => ({ text: `p99 ≤ ${SEEN_P99_MS} ms`, measured: p99, most: SEEN_P99_MS }),
    });
  } finally {
    await file.close();
    await client.close();
    await workspace.close({ leftovers: 'end' });
  }
}

/** Blocks in session_wait until the session stands so. */
async function waiting(
  client: TestClient,
  sessionId: string,
  isSo: (row: z.infer<typeof Asking>) => boolean,
  until = 'any',
): Promise<z.infer<typeof Asking>> {
  for (const end = Date.now() + 90_000; Date.now() < end; ) {
    const { sessions, timedOut } = Waited.parse(
      await client.call('session_wait', { sessionIds: [sessionId], until, timeoutSeconds: 40 }),
    );
    const [row] = sessions;
    if (row && !timedOut && isSo(row)) return row;
    await delay(20);
  }
  throw new Error(`Session ${sessionId} never stood so.`);
}
