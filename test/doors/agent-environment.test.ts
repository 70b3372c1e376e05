// What an agent finds in its environment: what is on the list, and nothing of the agent from whose midst it was started.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, type TestClient } from '../support/clients.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

/** Of a Claude Code that starts our door, or `sc` in its shell. */
const OF_THE_CALLER = { CLAUDECODE: '1', CLAUDE_CODE_ENTRYPOINT: 'cli', CLAUDE_CODE_SSE_PORT: '1', CLAUDE_CODE_SESSION_ID: 'x' };
const GIVEN = { WANTED: 'yes', UNWANTED: 'no', ANTHROPIC_API_KEY: 'a-dummy-key', SCOPECRAFT_SESSION: 'somebody-else' };
const SAYS = `echo '{"type":"result","subtype":"success","is_error":false,"result":"done"}'`;

let workspace: Workspace;
let client: TestClient;

beforeAll(async () => {
  workspace = await makeWorkspace({ env: { ...GIVEN, ...OF_THE_CALLER } });
  const program = path.join(workspace.home, 'prints');
  await writeFile(program, `#!/bin/sh\nenv >"$SCOPECRAFT_SESSION.env"\n${SAYS}\n`, { mode: 0o755 });
  const entry = { command: program, env: ['WANTED'] };
  const agents = { like: { kind: 'claude', ...entry }, other: { kind: 'command', output: 'stream-json', ...entry } };
  await writeFile(path.join(workspace.env.XDG_CONFIG_HOME ?? '', 'scopecraft', 'config.json'), JSON.stringify({ agents }));
  client = await connect('modern', { env: workspace.env, cwd: workspace.path });
});
afterAll(async () => {
  await client?.close();
  await workspace?.close();
});

async function environmentOf(start: object): Promise<ReadonlyMap<string, string>> {
  const { id } = await client.call('session_start', { ...start });
  const { sessions } = await client.call('session_wait', { sessionIds: [id] });
  expect(sessions).toMatchObject([{ status: 'completed' }]);
  const text = await readFile(path.join(workspace.path, `${id}.env`), 'utf8');
  const found = new Map(text.split('\n').map((line) => [line.replace(/=.*/, ''), line.replace(/^[^=]*=/, '')] as const));
  expect(found.get('SCOPECRAFT_SESSION')).toBe(id);
  return found;
}

it.each([
  ['like Claude Code', { agent: 'like', prompt: 'Print it.' }, ['WANTED', 'ANTHROPIC_API_KEY']],
  ['of another kind', { agent: 'other', prompt: 'Print it.' }, ['WANTED']],
  ['for rehearsal', { agent: 'demo', prompt: '@@tool Bash {"command":"env >\\"$SCOPECRAFT_SESSION.env\\""}' }, []],
] as const)('an agent %s gets what it may have, and nothing of who called', async (_kind, start, given) => {
  const found = await environmentOf(start);
  const names = [...found.keys()];
  expect(names.filter((name) => name in GIVEN && name !== 'SCOPECRAFT_SESSION').toSorted()).toEqual([...given].toSorted());
  expect(names.filter((name) => /^CLAUDE/.test(name))).toEqual([]);
  expect(found.get('HOME')).toBe(workspace.home);
});

it('the hub gets none of it either', async () => {
  const environ = await readFile(`/proc/${(await workspace.hub())?.pid}/environ`, 'utf8');
  const names = environ.split('\0').map((line) => line.replace(/=.*/, ''));
  expect(names).toContain('HOME');
  expect(names.filter((name) => name in GIVEN || /^CLAUDE/.test(name))).toEqual([]);
});
