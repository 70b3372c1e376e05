// One session, shared: several people and agents see the same live log, a guest may do what the role says and nothing else, and who said
// something can be told.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { connect, type TestClient } from '../support/clients.ts';
import {
  type Access,
  beginLegacy,
  connectHttp,
  type HttpClient,
  modernRequest,
  openStream,
  sendHttp,
} from '../support/http-clients.ts';
import { type Serving, serve } from '../support/serving.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const Shared = z.looseObject({ shareId: z.string(), url: z.string(), token: z.string() });
const Started = z.looseObject({ id: z.string() });
const Page = z.looseObject({ entries: z.array(z.looseObject({ seq: z.string(), text: z.string() })) });
const task = (lines: readonly string[]) =>
  `# A task\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n${lines.join('\n')}\n`;

let workspace: Workspace;
let serving: Serving;
let owner: TestClient;
let sessionId: string;
const clients: HttpClient[] = [];

beforeEach(async () => {
  workspace = await makeWorkspace({
    tasks: {
      'long.task.md': task([
        '@@say one',
        '@@tool Bash {"command":"while [ ! -e go ]; do sleep 0.1; done"}',
        '@@say Said to all of them.',
        '@@hang',
      ]),
      'other.task.md': task(['@@say a secret of the other', '@@hang']),
    },
    userConfig: { defaultAgent: 'demo' },
  });
  serving = await serve({ env: workspace.env, cwd: workspace.path });
  owner = await connect('modern', { env: workspace.env, cwd: workspace.path });
  sessionId = Started.parse(await owner.call('session_start', { taskId: 'long' })).id;
  await expect.poll(async () => (await owner.call('session_get', { sessionId })).status, { timeout: 10_000 }).toBe('running');
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close().catch(() => undefined);
  for (const { id } of z.array(Started).parse((await owner.call('session_list', { status: 'running' })).sessions))
    await owner.call('session_cancel', { sessionId: id });
  await owner.close();
  await serving.interrupt();
  await workspace.close();
});

async function share(role: 'watch' | 'prompt', more: Readonly<Record<string, unknown>> = {}) {
  return Shared.parse(await owner.call('session_share', { sessionId, role, ...more }));
}

async function guest(access: Access, kind: 'modern' | 'legacy' = 'modern'): Promise<HttpClient> {
  const client = await connectHttp(kind, access, 'their client');
  clients.push(client);
  return client;
}

it('three who look at once see the same live log', async () => {
  const shared = await share('watch', { name: 'Anna' });
  const uri = `session://${sessionId}/log`;
  const watching = [await guest(shared), await guest(shared, 'legacy'), await guest(await serving.access('read'))];
  const heard = new Set<HttpClient>();
  for (const client of watching) await client.subscribe([uri], () => heard.add(client));
  await writeFile(path.join(workspace.path, 'go'), '');
  await expect.poll(() => heard.size, { timeout: 15_000 }).toBe(watching.length);
  await expect.poll(() => owner.read(uri)).toContain('Said to all of them.');
  const logs = await Promise.all(watching.map((client) => client.read(uri)));
  expect(new Set([...logs, await owner.read(uri)]).size).toBe(1);
  const pages = await Promise.all(watching.map(async (client) => Page.parse(await client.call('session_logs', { sessionId }))));
  for (const page of pages) expect(page.entries).toEqual(pages[0]?.entries);
});

it('a guest who may watch sees that session and nothing else, and changes nothing', async () => {
  const other = Started.parse(await owner.call('session_start', { taskId: 'other' })).id;
  const shared = await share('watch');
  const client = await guest(shared);
  expect(await client.tools()).toEqual(['session_wait', 'session_get', 'session_logs', 'request_list']);
  expect(await client.call('session_get', { sessionId })).toMatchObject({ id: sessionId });
  expect((await client.uris()).every((uri) => uri.startsWith(`session://${sessionId}`))).toBe(true);
  for (const tool of ['session_get', 'session_logs'])
    await expect(client.call(tool, { sessionId: other })).rejects.toThrow('NOT_SHARED');
  await expect(client.call('session_wait', { sessionIds: [sessionId, other] })).rejects.toThrow('NOT_SHARED');
  for (const uri of [`session://${other}`, `session://${other}/log`, 'events://recent', 'queue://status', 'task://other/history'])
    await expect(client.read(uri)).rejects.toThrow();
  await expect(client.subscribe([`session://${other}/log`], () => {})).rejects.toThrow();
  const older = await guest(shared, 'legacy');
  await older.subscribe([`session://${sessionId}/log`], () => {});
  for (const uri of [`session://${other}/log`, `session://${other}`, 'queue://status'])
    await expect(
      older.subscribe([uri], () => {}),
      uri,
    ).rejects.toThrow();
  const prompt = await sendHttp(shared, modernRequest('prompts/get', { name: 'delegate-task', arguments: { taskId: 'other' } }));
  expect(prompt.text).toContain('A guest of a session has no prompts');
  for (const [tool, args] of [
    ['session_prompt', { sessionId, prompt: 'x' }],
    ['session_cancel', { sessionId }],
    ['session_start', { taskId: 'other' }],
    ['session_share', { sessionId, role: 'prompt' }],
    ['queue_status', {}],
    ['event_list', {}],
    ['autonomous_cancel', { sessionId }],
  ] as const)
    await expect(client.call(tool, args)).rejects.toThrow('not for guests');
});

it('a guest who may prompt is recorded with each prompt, whatever the client calls itself', async () => {
  const shared = await share('prompt', { name: 'Boris' });
  const client = await connectHttp('modern', shared, `session ${sessionId}`);
  clients.push(client);
  await client.call('session_prompt', { sessionId, prompt: 'Look at the tests too.', timeoutSeconds: 1 });
  await expect(client.call('session_cancel', { sessionId })).rejects.toThrow('not for guests');
  await owner.call('session_prompt', { sessionId, prompt: 'And at the docs.', timeoutSeconds: 1 });
  const { prompts } = await owner.call('session_get', { sessionId });
  expect(prompts).toMatchObject([
    { text: 'Look at the tests too.', by: `guest Boris (share ${shared.shareId}, session ${sessionId} 1)` },
    { text: 'And at the docs.', by: 'scopecraft-test 1.0.0' },
  ]);
});

it('a share ends when it is revoked, with the streams that are open by it', async () => {
  const shared = await share('watch');
  const other = await share('watch');
  const client = await guest(shared);
  const uri = `session://${sessionId}/log`;
  const wish = modernRequest('subscriptions/listen', { notifications: { resourceSubscriptions: [uri] } });
  const listening = async (access: Access) => {
    const stream = await openStream(access, wish);
    if (typeof stream === 'number') throw new Error(`The stream was refused: ${stream}.`);
    return stream;
  };
  const [modern, kept] = [await listening(shared), await listening(other)];
  const older = await beginLegacy(shared);
  expect(await older.ask('resources/subscribe', { uri: `session://${sessionId}` })).toContain('"result"');
  const legacy = await older.listen(() => share('watch'));
  const { shares } = await owner.call('session_share', { sessionId, revoke: shared.shareId });
  const left = z
    .array(z.looseObject({ shareId: z.string() }))
    .parse(shares)
    .map(({ shareId }) => shareId);
  expect(left).toContain(other.shareId);
  expect(left).not.toContain(shared.shareId);
  await Promise.all([modern.ended, legacy.ended]);
  // nothing else was cut off
  const before = kept.text().length;
  await writeFile(path.join(workspace.path, 'go'), '');
  await expect.poll(() => kept.text().slice(before), { timeout: 15_000 }).toContain('notifications/resources/updated');
  kept.close();
  await expect(client.call('session_get', { sessionId })).rejects.toThrow();
  await expect(guest(shared)).rejects.toThrow();
  expect(await (await guest(other)).call('session_get', { sessionId })).toMatchObject({ id: sessionId });
  await expect(owner.call('session_share', { sessionId, revoke: shared.shareId })).rejects.toThrow('SHARE_REFUSED');
});

it('a share ends by itself, and is the same after a hub kill', async () => {
  const [short, long] = [await share('watch', { expiresInSeconds: 10 }), await share('watch')];
  expect(await (await guest(short)).call('session_get', { sessionId })).toMatchObject({ id: sessionId });
  await workspace.killHub();
  await expect.poll(() => owner.call('session_get', { sessionId }), { timeout: 20_000 }).toMatchObject({ status: 'running' });
  expect(await (await guest(long)).call('session_get', { sessionId })).toMatchObject({ id: sessionId });
  await expect
    .poll(
      () =>
        guest(short).then(
          () => 'open',
          () => 'over',
        ),
      { timeout: 20_000, interval: 500 },
    )
    .toBe('over');
});

it('the token is nowhere on disk', async () => {
  const { token } = await share('prompt');
  const state = path.join(workspace.path, '.scopecraft', 'state');
  const files = (await readdir(state, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  for (const file of files) expect(await readFile(path.join(file.parentPath, file.name), 'latin1')).not.toContain(token);
});
