// The whole first line with every client, the first SDK's among them, on stdio and over HTTP: start, watch the log, wait, and get the result.
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CLIENT_KINDS, type ClientKind, connect } from '../support/clients.ts';
import { connectHttp } from '../support/http-clients.ts';
import { serve } from '../support/serving.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const TASK = `# A task\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n${[
  '@@say it begins',
  '@@tool Bash {"command":"until [ -f go ]; do sleep 0.1; done; echo went"}',
  '@@cost 0.25',
  '@@say it is done',
].join('\n')}\n`;
const Started = z.looseObject({ id: z.string(), uris: z.looseObject({ session: z.string(), log: z.string() }) });
const GO = { prompt: '@@tool Bash {"command":"touch go"}', agent: 'demo' };

interface Client {
  tools(): Promise<readonly string[]>;
  call(tool: string, args?: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
  read(uri: string): Promise<string>;
  subscribe(uris: readonly string[], onUpdate: (uri: string) => void): Promise<unknown>;
  close(): Promise<void>;
}
interface Opened {
  readonly client: Client;
  close(): Promise<unknown>;
}

const DOORS = {
  async stdio(kind: ClientKind, workspace: Workspace): Promise<Opened> {
    const client = await connect(kind, { env: workspace.env, cwd: workspace.path });
    const tools = async () => (await client.tools()).map(({ name }) => name);
    return { client: { ...client, tools }, close: () => client.close() };
  },
  async HTTP(kind: ClientKind, workspace: Workspace): Promise<Opened> {
    const serving = await serve({ env: workspace.env, cwd: workspace.path });
    const client = await connectHttp(kind, await serving.access('operate'));
    return { client, close: () => client.close().then(serving.interrupt) };
  },
} as const;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

describe.each(['stdio', 'HTTP'] as const)('over %s', (door) => {
  it.each(CLIENT_KINDS)('the %s client starts a session, watches its log, waits for it and gets its result', async (kind) => {
    const workspace = await makeWorkspace({ tasks: { 'one.task.md': TASK }, userConfig: { defaultAgent: 'demo' } });
    closing.push(() => workspace.close());
    const { client, close } = await DOORS[door](kind, workspace);
    closing.push(close);
    expect((await client.tools()).slice(0, 3)).toEqual(['session_start', 'session_run', 'session_wait']);

    const { id, uris } = Started.parse(await client.call('session_start', { taskId: 'one' }));
    const updates: string[] = [];
    await client.subscribe([uris.log, uris.session], (uri) => updates.push(uri));
    await expect.poll(() => client.read(uris.log), { timeout: 20_000 }).toContain('it begins');
    expect(await client.call('session_wait', { sessionIds: [id], timeoutSeconds: 0.1 })).toMatchObject({ timedOut: true });
    expect(await client.call('session_run', { ...GO, timeoutSeconds: 20 })).toMatchObject({
      status: 'completed',
      timedOut: false,
    });

    const waited = await client.call('session_wait', { sessionIds: [id], timeoutSeconds: 20 });
    const receipt = { id, status: 'completed', result: 'it is done', costUsd: 0.25, cause: { kind: 'done' } };
    expect(waited).toMatchObject({ timedOut: false, sessions: [receipt] });
    expect(await client.call('session_get', { sessionId: id })).toMatchObject(receipt);
    expect(await client.read(uris.log)).toContain('went');
    expect(JSON.parse(await client.read(uris.session))).toMatchObject({ status: 'completed' });
    for (const uri of [uris.log, uris.session]) await expect.poll(() => updates, { timeout: 10_000 }).toContain(uri);
  });
});
