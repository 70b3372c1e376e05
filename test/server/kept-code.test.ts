// The start of the hub and of `sc` from their bundles, with and without the code that V8 made of them.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Script } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let dist = '';

beforeEach(() => {
  dist = mkdtempSync(path.join(tmpdir(), 'sc-start-'));
  cpSync('dist', dist, { recursive: true });
});

afterEach(() => rmSync(dist, { recursive: true, force: true }));

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};

describe.each([
  { program: 'hub', args: ['--no-workspace'], answers: '"name":"scopecraft"' },
  { program: 'cli', args: ['session', 'start', '--help'], answers: 'Usage: sc session start' },
])('$program', ({ program, args, answers }) => {
  const named = (ending: string) =>
    path.join(dist, readdirSync(dist).find((name) => name.startsWith(`${program}-`) && name.endsWith(ending)) ?? '');
  const answer = () =>
    execFileSync(process.execPath, [path.join(dist, `${program}.cjs`), ...args], {
      input: `${JSON.stringify(INITIALIZE)}\n`,
      encoding: 'utf8',
    });

  test('has kept code that V8 takes', () => {
    const script = new Script(readFileSync(named('.js'), 'latin1'), { cachedData: readFileSync(named('.code')) });
    expect(script.cachedDataRejected).toBe(false);
  });

  test('starts from code that was kept, that V8 refuses, and that is not there', () => {
    expect(answer()).toContain(answers);
    writeFileSync(named('.code'), 'code of another version');
    expect(answer()).toContain(answers);
    rmSync(named('.code'));
    expect(answer()).toContain(answers);
  });
});
