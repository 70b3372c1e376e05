// A socket this process may not use is named as what it is. Needs root, to become somebody else.
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { expect, test } from 'vitest';
import { placeOf } from '../../storage/embedded/claim.ts';
import { buildPrograms, clearWorkspace, makeWorkspace } from '../support/hub-bench.ts';

const NOBODY = 65_534;

// only root can make what belongs to somebody else
test.runIf(process.getuid?.() === 0)('a forbidden socket and a foreign state folder each get their sentence', async () => {
  const programs = await buildPrograms('1.0.0');
  chmodSync(programs, 0o755);
  const workspace = makeWorkspace();
  const state = path.join(workspace, '.scopecraft/state');
  const locked = path.join(workspace, 'locked');
  mkdirSync(state, { recursive: true });
  mkdirSync(locked, { mode: 0o700 });
  const socket = path.join(locked, 'hub.sock');
  const server = createServer().listen(socket);
  const claim = {
    epoch: 1,
    pid: process.pid,
    startedAt: '1',
    ...placeOf(state),
    socket,
    nonce: 'n',
    version: '1.0.0',
    protocol: 1,
  };
  writeFileSync(path.join(state, 'hub.1.json'), JSON.stringify(claim));
  const give = (owner: number) => {
    for (const place of [workspace, path.dirname(state), state, path.join(state, 'hub.1.json')]) chownSync(place, owner, owner);
  };
  const ask = () =>
    new Promise<string>((resolve) => {
      const door = spawn(process.execPath, [path.join(programs, 'door.cjs'), '--workspace', workspace], {
        uid: NOBODY,
        gid: NOBODY,
        cwd: '/',
        env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent' },
      });
      door.stdout.once('data', (chunk) => {
        resolve(JSON.parse(String(chunk)).error.message);
        door.stdin.end();
      });
      door.stdin.write('{"jsonrpc":"2.0","id":1,"method":"initialize"}\n');
    });
  try {
    give(NOBODY);
    expect(await ask()).toMatch(
      /may not use the unix socket .*hub\.sock \(EACCES\): a sandbox or another user's folder is in the way\. In Claude Code set/,
    );
    give(0);
    chmodSync(workspace, 0o755);
    chmodSync(path.dirname(state), 0o755);
    expect(await ask()).toBe(`The folder ${state} belongs to another user (uid 0); remove it or make it yours.`);
  } finally {
    server.close();
    await clearWorkspace(workspace);
    rmSync(programs, { recursive: true });
  }
});
