// What a run is given to call its hub, and where it can not be found.
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentEntry } from '../../core/agent.ts';
import { interactiveArgv } from '../../runners/interactive-argv.ts';
import { readSpec } from '../../runners/run-folder.ts';
import { makeRunFolder } from '../../runners/run-start.ts';
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

it('claude is told to call on its output, and gets neither address nor token', async () => {
  const program = path.join(rig.root, 'claude');
  await writeFile(program, '#!/bin/sh\nenv\necho "$@"\n');
  await chmod(program, 0o755);
  const agent = { ...AgentEntry.parse({ kind: 'claude', command: program }), name: 'claude' };
  const run = await rig.runner.start(rig.spec('claude', 'hello', undefined, { mcp, agent }));
  expect((await ending(run)).exit).toEqual({ code: 0 });
  const files = await readdir(rig.folder('claude'));
  expect(files).not.toContain('mcp.json');
  for (const name of files)
    expect(await readFile(path.join(rig.folder('claude'), name), 'utf8'), name).not.toMatch(
      /sc_the-token|127\.0\.0\.1|SCOPECRAFT_MCP/,
    );
  const printed = await readFile(path.join(rig.folder('claude'), 'out'), 'utf8');
  expect(printed).toContain('--mcp-config={"mcpServers":{"scopecraft":{"type":"sdk","name":"scopecraft"}}}');
});

it.each([
  [7 * 86_400_000, {}, 'MCP_TOOL_TIMEOUT=604800000'],
  [7 * 86_400_000, { MCP_TOOL_TIMEOUT: '5000' }, 'MCP_TOOL_TIMEOUT=5000'],
  [3_600_000, {}, undefined],
])('claude waits for an answer that may take %d ms, unless it was told otherwise: %j', async (callTimeoutMs, more, expected) => {
  const sessionId = `patient-${callTimeoutMs}-${Object.keys(more).length}`;
  const program = path.join(rig.root, sessionId);
  await writeFile(program, '#!/bin/sh\nenv\n');
  await chmod(program, 0o755);
  const agent = { ...AgentEntry.parse({ kind: 'claude', command: program }), name: 'claude' };
  const spec = rig.spec(sessionId, '', undefined, { mcp: { ...mcp, callTimeoutMs }, agent, env: { ...rig.env, ...more } });
  await ending(await rig.runner.start(spec));
  const printed = (await readFile(path.join(rig.folder(sessionId), 'out'), 'utf8')).split('\n');
  expect(printed.find((line) => line.startsWith('MCP_TOOL_TIMEOUT'))).toBe(expected);
});

it('claude in a terminal gets them in a file of its own, and not in its arguments', async () => {
  const agent = { ...AgentEntry.parse({ kind: 'claude' }), name: 'claude' };
  const spec = rig.spec('terminal', '', undefined, { mcp, agent, type: 'interactive' });
  const folder = rig.folder('terminal');
  makeRunFolder(folder, spec, { kept: {}, input: { file: 'in', text: '' } });
  const file = path.join(folder, 'mcp.json');
  const argv = await interactiveArgv(spec, '/bin/claude', { node: '', demoAgent: '' }, folder);
  expect(argv).toContain(`--mcp-config=${file}`);
  expect(argv.join(' ')).not.toContain(mcp.token);
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
