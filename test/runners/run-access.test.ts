// What a run is given to call its hub, and where it can not be found.
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentEntry } from '../../core/agent.ts';
import { readSpec } from '../../runners/run-folder.ts';
import { ending, openRig, type Rig } from './rig.ts';

const mcp = { url: 'http://127.0.0.1:1/mcp', token: 'sc_the-token' };
let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

it('another program gets address and token in its environment, and a way past every proxy', async () => {
  const env = { ...rig.env, HTTP_PROXY: 'http://proxy.example:1', NO_PROXY: 'intern.example' };
  const run = await rig.runner.start(rig.spec('other', '', ['/usr/bin/env'], { mcp, env }));
  expect((await ending(run)).exit).toEqual({ code: 0 });
  const printed = (await readFile(path.join(rig.folder('other'), 'out'), 'utf8')).split('\n');
  expect(printed).toEqual(
    expect.arrayContaining([
      `SCOPECRAFT_MCP_URL=${mcp.url}`,
      `SCOPECRAFT_MCP_TOKEN=${mcp.token}`,
      'NO_PROXY=intern.example,127.0.0.1,localhost',
      'no_proxy=intern.example,127.0.0.1,localhost',
    ]),
  );
  expect(readSpec(rig.folder('other'))).toMatchObject({ mcp: { url: mcp.url } });
  expect(await readFile(path.join(rig.folder('other'), 'spec.json'), 'utf8')).not.toContain(mcp.token);
});

it('claude gets them in a file of its own, and not in its environment or arguments', async () => {
  const program = path.join(rig.root, 'claude');
  await writeFile(program, '#!/bin/sh\nenv\necho "$@"\n');
  await chmod(program, 0o755);
  const agent = { ...AgentEntry.parse({ kind: 'claude', command: program }), name: 'claude' };
  const run = await rig.runner.start(rig.spec('claude', '', undefined, { mcp, agent }));
  expect((await ending(run)).exit).toEqual({ code: 0 });
  const file = path.join(rig.folder('claude'), 'mcp.json');
  const printed = await readFile(path.join(rig.folder('claude'), 'out'), 'utf8');
  expect(printed).toContain(`--mcp-config=${file}`);
  expect(printed).not.toContain(mcp.token);
  expect(printed).not.toContain('SCOPECRAFT_MCP');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
    mcpServers: {
      scopecraft: { type: 'http', url: mcp.url, headers: { Authorization: `Bearer ${mcp.token}` }, timeout: 120_000 },
    },
  });
});

it('a run that is given nothing has no such file and no such variables', async () => {
  const run = await rig.runner.start(rig.spec('none', '', ['/usr/bin/env']));
  await ending(run);
  expect(await readFile(path.join(rig.folder('none'), 'out'), 'utf8')).not.toMatch(/SCOPECRAFT_MCP|NO_PROXY/i);
});
