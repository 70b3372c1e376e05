// The start of the hub from its bundle, with and without the code that V8 made of it.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Script } from 'node:vm';
import { afterEach, beforeEach, expect, test } from 'vitest';

let dist = '';

beforeEach(() => {
  dist = mkdtempSync(path.join(tmpdir(), 'sc-start-'));
  cpSync('dist', dist, { recursive: true });
});

afterEach(() => rmSync(dist, { recursive: true, force: true }));

const named = (ending: string) =>
  path.join(dist, readdirSync(dist).find((name) => /^hub-.+/.test(name) && name.endsWith(ending)) ?? '');

/** What a hub without a workspace answers to `initialize`. */
function answer(): string {
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  const input = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })}\n`;
  return execFileSync(process.execPath, [path.join(dist, 'hub.cjs'), '--no-workspace'], { input, encoding: 'utf8' });
}

test('V8 takes the code that the build kept', () => {
  const script = new Script(readFileSync(named('.js'), 'latin1'), { cachedData: readFileSync(named('.code')) });
  expect(script.cachedDataRejected).toBe(false);
});

test('the hub starts from code that was kept, that V8 refuses, and that is not there', () => {
  expect(answer()).toContain('"name":"scopecraft"');
  writeFileSync(named('.code'), 'code of another version');
  expect(answer()).toContain('"name":"scopecraft"');
  rmSync(named('.code'));
  expect(answer()).toContain('"name":"scopecraft"');
});
