// Makes a fresh clone ready: installs the packages when they are missing or older than the lock file, then builds when asked to.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(fileURLToPath(import.meta.url));
const at = (...parts) => path.join(root, ...parts);
const changedAt = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) {
    console.error(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`);
    process.exit(status ?? 1);
  }
}

function newestSource() {
  const rooms = ['core', 'tools', 'resources', 'prompts', 'storage', 'runners', 'server', 'client', 'cli'];
  const files = rooms.flatMap((room) =>
    existsSync(at(room)) ? readdirSync(at(room), { recursive: true }).map((file) => at(room, String(file))) : [],
  );
  return Math.max(...[...files, at('build.ts'), at('package.json')].map(changedAt));
}

if (changedAt(at('node_modules', '.package-lock.json')) < changedAt(at('package-lock.json')))
  run('npm', ['ci', '--no-audit', '--no-fund']);
if (process.argv[2] === 'build' && changedAt(at('dist', 'door.cjs')) < newestSource())
  run(process.execPath, [at('node_modules', 'tsx', 'dist', 'cli.mjs'), at('build.ts')]);
