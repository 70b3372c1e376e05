// `sc serve --http`: clients come over HTTP with a token of their own, may do what its scope says, and are turned away when it is not good any more.
import { chmod, readFile, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CLIENT_KINDS, connect, sc } from '../support/clients.ts';
import { type Access, connectHttp, type HttpClient, modernRequest, openStream, sendHttp } from '../support/http-clients.ts';
import { type Serving, serve } from '../support/serving.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const LIST = modernRequest('tools/list');
const task = (line: string) => `# A task\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n${line}\n`;
const Page = z.looseObject({ entries: z.array(z.looseObject({ seq: z.string(), text: z.string() })) });
const Started = z.looseObject({ id: z.string() });

let workspace: Workspace;
let serving: Serving;
const clients: HttpClient[] = [];

beforeEach(async () => {
  workspace = await makeWorkspace({
    tasks: { 'one.task.md': task('@@say done') },
    userConfig: { defaultAgent: 'demo', server: { toolsets: ['core', 'admin'] } },
  });
  serving = await serve({ env: workspace.env, cwd: workspace.path });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close().catch(() => undefined);
  await serving.interrupt();
  await workspace.close();
});

const client = async (access: Access, kind: 'modern' | 'legacy' | 'v1' = 'modern') => {
  const connected = await connectHttp(kind, access);
  clients.push(connected);
  return connected;
};
const status = async (access: Access) => (await sendHttp(access, LIST)).status;

describe('a client over HTTP', () => {
  it.each(CLIENT_KINDS)('puts an agent to work, waits for it and reads its log, with the %s client', async (kind) => {
    const http = await client(await serving.access('operate'), kind);
    const { id } = Started.parse(await http.call('session_start', { taskId: 'one' }));
    const { sessions } = await http.call('session_wait', { sessionIds: [id], timeoutSeconds: 40 });
    expect(sessions).toMatchObject([{ id, status: 'completed', result: 'done' }]);
    expect(await http.read(`session://${id}/log`)).toContain('done');
    // and any part of it, by the places that the tool names
    const { entries } = Page.parse(await http.call('session_logs', { sessionId: id, after: '0:0.0' }));
    const last = entries.at(-1);
    const part = await http.read(`session://${id}/log/${entries.at(-2)?.seq}-${last?.seq}`);
    expect(part.split('\n').slice(1).join('\n')).toContain(last?.text);
    expect(part.split('\n')).toHaveLength(2);
    expect(await http.call('session_logs', { sessionId: id, grep: '^done$' })).toMatchObject({ entries: [{}, {}] });
  });

  it('is one client of the hub that all others have', async () => {
    const http = await client(await serving.access('admin'));
    const door = await connect('modern', { env: workspace.env, cwd: workspace.path });
    try {
      const { id } = Started.parse(await http.call('session_start', { taskId: 'one' }));
      expect(await door.call('session_get', { sessionId: id })).toMatchObject({ id });
      const tools = (await door.tools()).map(({ name }) => name);
      expect(await http.tools()).toEqual(tools);
      // who did it can be told
      const { events } = await http.call('event_list', { types: ['session.queued'] });
      expect(events).toMatchObject([{ data: { by: 'a test 1 (over HTTP, admin)' } }]);
      // a run that outlives its hub starts another
      await http.call('session_wait', { sessionIds: [id], timeoutSeconds: 40 });
    } finally {
      await door.close();
    }
  });

  it('may do what the scope of its token says, and lists nothing else', async () => {
    const read = await client(await serving.access('read'));
    const operate = await client(await serving.access('operate'));
    const admin = await client(await serving.access('admin'));
    expect(await read.tools()).not.toContain('session_start');
    expect(await read.tools()).toContain('session_logs');
    expect(await operate.tools()).toContain('session_start');
    expect(await operate.tools()).not.toContain('session_share');
    expect(await admin.tools()).toContain('session_share');
    await expect(read.call('session_start', { taskId: 'one' })).rejects.toThrow('scope operate');
    // old names are no way around it
    await expect(read.call('autonomous_start', { taskId: 'one' })).rejects.toThrow('scope operate');
    await expect(operate.call('session_config', {})).rejects.toThrow('scope admin');
    expect(await admin.call('session_config', { find: 'maxDepth' })).toMatchObject({ settings: [{}] });
    expect(await read.call('session_list')).toMatchObject({ total: 0 });
  });
});

describe('a token', () => {
  it('lies in a file that only its owner can read', async () => {
    for (const scope of ['read', 'operate', 'admin'] as const)
      expect((await stat(serving.tokenFile(scope))).mode & 0o777).toBe(0o600);
    expect((await stat(path.dirname(serving.tokenFile('read')))).mode & 0o777).toBe(0o700);
  });

  it('is worth nothing when a new one took its place, and ends the streams that are open with it', async () => {
    const old = await serving.access('read');
    const other = await serving.access('operate');
    expect(await status(old)).toBe(200);
    const stream = await openStream(
      old,
      modernRequest('subscriptions/listen', { notifications: { resourceSubscriptions: ['queue://status'] } }),
    );
    if (typeof stream === 'number') throw new Error(`The stream was refused: ${stream}.`);
    await sc(['token', 'rotate', '--scope=read'], { env: workspace.env, cwd: workspace.path });
    expect(await status(old)).toBe(401);
    expect(await status(await serving.access('read'))).toBe(200);
    expect(await status(other)).toBe(200);
    await stream.ended;
  });

  it('is refused while others can read its file, or when the file is a link', async () => {
    const access = await serving.access('admin');
    const file = serving.tokenFile('admin');
    await chmod(file, 0o644);
    const answer = await sendHttp(access, LIST);
    expect(answer).toMatchObject({ status: 401, text: expect.stringContaining('can be read by others') });
    expect(answer.text).not.toContain(access.token);
    await chmod(file, 0o600);
    expect(await status(access)).toBe(200);
    await unlink(file);
    await writeFile(path.join(workspace.root, 'elsewhere'), `${access.token}\n`, { mode: 0o600 });
    await symlink(path.join(workspace.root, 'elsewhere'), file);
    expect(await status(access)).toBe(401);
    // a rotation leaves what the link pointed to alone
    await sc(['token', 'rotate'], { env: workspace.env, cwd: workspace.path });
    expect(await readFile(path.join(workspace.root, 'elsewhere'), 'utf8')).toBe(`${access.token}\n`);
    expect(await status(await serving.access('admin'))).toBe(200);
  });

  it('is good only while somebody serves', async () => {
    const access = await serving.access('admin');
    const door = await connect('modern', { env: workspace.env, cwd: workspace.path });
    try {
      expect(await serving.interrupt()).toBe(0);
      // the hub goes on for the door, at the same port
      await expect.poll(() => status(access)).toBe(401);
      expect((await sendHttp(access, { method: 'GET', path: '/healthz' })).status).toBe(200);
    } finally {
      await door.close();
    }
  });
});

describe('what is served', () => {
  it('stays when the hub is killed: the command finds the next one, and the address is the same', async () => {
    const access = await serving.access('read');
    await workspace.killHub();
    await expect.poll(() => status(access).catch(() => 0), { timeout: 20_000 }).toBe(200);
    expect(serving.process.exitCode).toBeNull();
  });

  it('can be asked for its health, and says nothing else to whoever asks', async () => {
    const access = { url: serving.url, token: 'none' };
    const answer = await sendHttp(access, { method: 'GET', path: '/healthz', headers: { authorization: '' } });
    expect(answer).toMatchObject({ status: 200, text: '{"status":"ok"}' });
    const foreign = await sendHttp(access, { method: 'GET', path: '/healthz', headers: { host: 'evil.example' } });
    expect(foreign.status).toBe(403);
    expect((await sendHttp(access, { method: 'POST', path: '/healthz' })).status).toBe(405);
  });

  it('is at a port of its own where that is asked for', async () => {
    const other = await serve({ env: workspace.env, cwd: workspace.path }, ['0', '--host=localhost']);
    try {
      expect(other.url).not.toBe(serving.url);
      expect(await status(await other.access('read'))).toBe(200);
    } finally {
      await other.interrupt();
    }
    await expect.poll(() => status({ url: other.url, token: 'x' }).catch(() => 'closed')).toBe('closed');
    expect(await status(await serving.access('read'))).toBe(200);
  });

  it.each([
    [['--host=0.0.0.0'], 'CONFIG_INVALID: "0.0.0.0" can be reached by other machines'],
    [['--host=0.0.0.0', '--behind-tls'], 'must be given with --allow-host'],
    [['70000'], 'INVALID_INPUT: "70000" is no port'],
    [['1', '2'], 'one argument too many'],
    [['--hots=x'], 'Unknown option "--hots". Did you mean'],
  ])('is nothing with %j', async (args, sentence) => {
    const { code, stderr } = await sc(['serve', '--http', ...args], { env: workspace.env, cwd: workspace.path });
    expect(code).toBe(1);
    expect(stderr).toContain(sentence);
  });

  it('behind a proxy answers only what came over TLS, by the name that was given', async () => {
    const proxied = await serve({ env: workspace.env, cwd: workspace.path }, [
      '0',
      '--host=0.0.0.0',
      '--behind-tls',
      '--allow-host=mcp.example',
    ]);
    try {
      const { token } = await proxied.access('read');
      const access = { url: `http://127.0.0.1:${new URL(proxied.url).port}/mcp`, token };
      const from = async (headers: Readonly<Record<string, string>>) =>
        (await sendHttp(access, { ...LIST, headers: { ...LIST.headers, ...headers } })).status;
      expect(await from({ host: 'mcp.example', 'x-forwarded-proto': 'https' })).toBe(200);
      expect(await from({ host: 'mcp.example' })).toBe(403);
      expect(await from({ host: 'mcp.example', 'x-forwarded-proto': 'http' })).toBe(403);
      expect(await from({ host: 'evil.example', 'x-forwarded-proto': 'https' })).toBe(403);
    } finally {
      await proxied.interrupt();
    }
  });

  it('is said to a person with what a client needs', async () => {
    const { stdout } = await sc(['token'], { env: workspace.env, cwd: workspace.path });
    expect(stdout).toContain(serving.tokenFile('operate'));
    expect(stdout).not.toContain('sct_');
    const { stderr, code } = await sc(['token', 'forget'], { env: workspace.env, cwd: workspace.path });
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('`sc token rotate`') });
  });
});
