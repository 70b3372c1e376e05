// A contender that cannot listen says so, and leaves nothing behind.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, vi } from 'vitest';
import { claimWorkspace } from '../../storage/embedded/lock.ts';

const refusal = vi.hoisted(() => ({ code: '' }));
vi.mock('node:net', async (original) => {
  const net = await original<typeof import('node:net')>();
  const createServer = (...args: Parameters<typeof net.createServer>) => {
    const server = net.createServer(...args);
    server.listen = () => {
      setImmediate(() => server.emit('error', Object.assign(new Error(`listen ${refusal.code}`), { code: refusal.code })));
      return server;
    };
    return server;
  };
  return { ...net, createServer };
});

it.each([
  ['EOPNOTSUPP', 'listen EOPNOTSUPP'],
  ['ENOENT', 'listen ENOENT'],
  ['EACCES', 'may not use the unix socket'],
])('on a socket that the system refuses with %s', async (code, message) => {
  const root = mkdtempSync(path.join(tmpdir(), 'sc-listen-'));
  refusal.code = code;
  const stateDir = path.join(root, '.scopecraft', 'state');
  const claiming = claimWorkspace({
    stateDir,
    runtimeDir: path.join(root, 'run', 'h'),
    version: '1.0.0',
    protocol: 1,
    onConnection: (socket) => socket.destroy(),
    onFenced: () => {},
  });
  await expect(claiming).rejects.toThrow(message);
  expect(readdirSync(stateDir).filter((name) => /claim|hub/.test(name))).toEqual([]);
  rmSync(root, { recursive: true, force: true });
});
