// The conformance suite and the Inspector, in the versions that were measured, with the Node.js that both need. npx brings them; they run by
// themselves afterwards, in a home of their own.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Environment } from '../support/project.ts';

const PACKAGES = [
  'node@22.23.3',
  '@modelcontextprotocol/conformance@0.2.0-alpha.12',
  '@modelcontextprotocol/inspector@2.12.0',
] as const;

export interface Programs {
  readonly node: string;
  readonly conformance: string;
  readonly inspector: string;
  /** What they get: nothing of this machine's own. */
  readonly env: Environment;
  close(): Promise<void>;
}

/** Where npx has put them. */
export async function findPrograms(): Promise<Programs> {
  const found = await located('command -v node && command -v conformance && command -v inspector');
  const [node, conformance, inspector] = found.trim().split('\n').slice(-3);
  if (node === undefined || conformance === undefined || inspector === undefined) throw new Error(`npx found only: ${found}`);
  const home = await mkdtemp(path.join(tmpdir(), 'sc-protocol-home-'));
  return {
    node,
    conformance,
    inspector,
    env: { PATH: `${path.dirname(node)}:/usr/bin:/bin`, HOME: home, NO_COLOR: '1' },
    close: () => rm(home, { recursive: true, force: true }),
  };
}

function located(command: string): Promise<string> {
  const packages = PACKAGES.flatMap((name) => ['--package', name]);
  return new Promise((resolve, reject) => {
    const child = spawn('npx', ['--yes', ...packages, '--call', command], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let complaints = '';
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      complaints += String(chunk);
    });
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(output) : reject(new Error(`npx ended with ${code}: ${complaints}`))));
  });
}
