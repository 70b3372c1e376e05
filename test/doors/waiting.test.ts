// Calls that block, on stdio and over HTTP: they are bounded, tell meanwhile that the work goes on, and are given up without touching a session.

import { setTimeout as sleep } from 'node:timers/promises';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TOOLS } from '../../tools/index.ts';
import { DOOR } from '../support/project.ts';
import { type Serving, serve } from '../support/serving.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const MOST_SECONDS = 45;
const MOST_SILENCE_MS = 5_000;
const TASK = '# A task\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n@@hang\n';
const Answer = z.looseObject({ structuredContent: z.looseObject({}) });

let workspace: Workspace;
let serving: Serving;
let sessionId: string;
const clients: Client[] = [];

beforeAll(async () => {
  workspace = await makeWorkspace({ tasks: { 'hang.task.md': TASK }, userConfig: { defaultAgent: 'demo' } });
  serving = await serve({ env: workspace.env, cwd: workspace.path });
  const client = await connected('stdio', 'modern');
  sessionId = z.looseObject({ id: z.string() }).parse(await call(client, 'session_start', { taskId: 'hang' })).id;
  while ((await call(client, 'session_get', { sessionId })).status !== 'running') await sleep(100);
});
afterAll(async () => {
  await call(await connected('stdio', 'modern'), 'session_cancel', { sessionId });
  for (const client of clients.splice(0)) await client.close();
  await serving.interrupt();
  await workspace.close();
});

async function connected(door: 'stdio' | 'HTTP', era: 'modern' | 'legacy'): Promise<Client> {
  const mode = era === 'modern' ? { pin: '2026-07-28' as const } : 'legacy';
  const client = new Client({ name: 'a test', version: '1' }, { versionNegotiation: { mode } });
  if (door === 'stdio') {
    const pipes = { command: process.execPath, args: [DOOR], env: { ...workspace.env }, cwd: workspace.path };
    await client.connect(new StdioClientTransport(pipes));
  } else {
    const { url, token } = await serving.access('operate');
    const headers = { Authorization: `Bearer ${token}` };
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  }
  clients.push(client);
  return client;
}

async function call(
  client: Client,
  name: string,
  args: Record<string, unknown>,
  options: Parameters<Client['callTool']>[1] = {},
) {
  return Answer.parse(await client.callTool({ name, arguments: args }, options)).structuredContent;
}

it('no tool takes a time to wait that is longer than 45 seconds', () => {
  const waiting = TOOLS.filter(({ input }) => 'timeoutSeconds' in input.shape);
  const blocking = waiting.filter(({ description, name }) => name !== 'session_start' && /wait|receipt|steer/i.test(description));
  expect(blocking.map(({ name }) => name).toSorted()).toEqual(['session_prompt', 'session_run', 'session_wait']);
  for (const { name, input, examples } of blocking)
    for (const example of examples)
      for (const [seconds, isTaken] of [
        [MOST_SECONDS, true],
        [MOST_SECONDS + 0.1, false],
        [-1, false],
        [Infinity, false],
      ] as const)
        expect(input.safeParse({ ...example, timeoutSeconds: seconds }).success, `${name} ${seconds}`).toBe(isTaken);
});

// at once: they do little but wait
describe.concurrent.each([
  ['stdio', 'modern'],
  ['stdio', 'legacy'],
  ['HTTP', 'modern'],
  ['HTTP', 'legacy'],
] as const)('over %s in the %s era', (door, era) => {
  it('a wait tells at least every five seconds that it goes on, and nothing after its answer', { timeout: 60_000 }, async () => {
    const client = await connected(door, era);
    const told: { readonly progress: number; readonly at: number }[] = [];
    const began = performance.now();
    const onprogress = ({ progress, message }: { progress: number; message?: string | undefined }) => {
      expect(message).toBe(`${sessionId} running`);
      told.push({ progress, at: performance.now() });
    };
    const args = { sessionIds: [sessionId], timeoutSeconds: 9 };
    const answer = await call(client, 'session_wait', args, { onprogress, timeout: 60_000 });
    const ended = performance.now();
    expect(answer).toMatchObject({ timedOut: true, sessions: [{ id: sessionId, status: 'running' }] });
    expect(String(answer.next)).toMatch(
      new RegExp(`^session_wait \\{"sessionIds":\\["${sessionId}"\\],"after":"\\d+","timeoutSeconds":9\\}$`),
    );
    const steps = told.map(({ progress }) => progress);
    expect(steps.length).toBeGreaterThanOrEqual(2);
    expect(steps).toEqual([...new Set(steps)].toSorted((a, b) => a - b));
    const moments = [began, ...told.map(({ at }) => at), ended];
    for (const [at, moment] of moments.entries()) expect(moment - (moments[at - 1] ?? began)).toBeLessThan(MOST_SILENCE_MS);
    await sleep(MOST_SILENCE_MS);
    expect(told).toHaveLength(steps.length);
  });

  it('a wait that is given up ends, and its session runs on', async () => {
    const client = await connected(door, era);
    const caller = new AbortController();
    const args = { sessionIds: [sessionId], timeoutSeconds: 40 };
    const waiting = call(client, 'session_wait', args, { signal: caller.signal, timeout: 60_000 });
    setTimeout(() => caller.abort(), 300);
    await expect(waiting).rejects.toThrow();
    // the same client goes on
    expect(await call(client, 'session_get', { sessionId })).toMatchObject({ status: 'running' });
    expect(await call(client, 'session_wait', { sessionIds: [sessionId], timeoutSeconds: 0 })).toMatchObject({ timedOut: true });
  });
});
