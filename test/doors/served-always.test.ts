// `server.http.enabled` in the config: clients are served as long as the hub lives, with nobody who runs `sc serve`.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { sc } from '../support/clients.ts';
import { connectHttp, modernRequest, sendHttp } from '../support/http-clients.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

let workspace: Workspace | undefined;
afterEach(() => workspace?.close());

/** A hub with these settings, begun by the command line, which then goes. */
async function begin(http: Readonly<Record<string, unknown>>) {
  const begun = await makeWorkspace({ userConfig: { defaultAgent: 'demo', server: { http } } });
  workspace = begun;
  const state = path.join(begun.path, '.scopecraft', 'state');
  const list = async () => (await sc(['session', 'list'], { env: begun.env, cwd: begun.path })).code;
  expect(await list()).toBe(0);
  return {
    list,
    hub: async () => (await begun.hub())?.pid,
    port: async () => Number(await readFile(path.join(state, 'port'), 'utf8')),
    log: () => readFile(path.join(state, 'hub.log'), 'utf8'),
    token: async (scope: string) => (await readFile(path.join(state, 'tokens', scope), 'utf8')).trim(),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('It listens at no port.');
  return address.port;
}

describe('server.http.enabled', () => {
  it.each([
    ['at the port that is kept where none is named', async () => 0],
    ['at the port that is named', freePort],
  ])('serves whoever has a token %s, and nobody else', async (_, chosen) => {
    const port = await chosen();
    const { port: kept, token, log } = await begin({ enabled: true, port });
    const url = `http://127.0.0.1:${port || (await kept())}/mcp`;
    const client = await connectHttp('modern', { url, token: await token('read') });
    try {
      expect(await client.call('session_list')).toMatchObject({ total: 0 });
      expect(await client.tools()).not.toContain('session_start');
    } finally {
      await client.close();
    }
    expect((await sendHttp({ url, token: `sct_read_${'x'.repeat(43)}` }, modernRequest('tools/list'))).status).toBe(401);
    expect(await log()).toContain(`http: clients with a token are served at ${url}`);
  });

  it('serves nobody at an address that other machines reach; the log says why, and the hub goes on', async () => {
    const port = await freePort();
    const { list, hub, log, token } = await begin({ enabled: true, host: '0.0.0.0', port });
    expect(await log()).toContain('http: clients are not served: "0.0.0.0" can be reached by other machines');
    const access = { url: `http://127.0.0.1:${port}/mcp`, token: await token('admin') };
    await expect(sendHttp(access, modernRequest('tools/list'))).rejects.toThrow('ECONNREFUSED');
    const before = await hub();
    expect(await list()).toBe(0);
    expect(await hub()).toBe(before);
    expect(before).toBeDefined();
  });
});
