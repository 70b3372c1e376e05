// The package as others install it: packed, put into a folder of its own, compiled against by strict programs, and run.
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, realpath, rename, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { PROJECT } from '../support/project.ts';
import { runProgram } from '../support/run-program.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const NAME = 'scopecraft-orchestrator';
const TSC = path.join(PROJECT, 'node_modules', 'typescript', 'bin', 'tsc');
/** What a program brings along itself. */
const OWN = ['@types/node', 'undici-types'];

let workspace: Workspace;
let consumer: string;
let at: { env: Workspace['env']; cwd: string };

beforeAll(async () => {
  workspace = await makeWorkspace();
  await cp(path.join(PROJECT, 'examples', 'tasks'), path.join(workspace.path, '.tasks'), { recursive: true });
  consumer = path.join(workspace.root, 'consumer');
  const modules = path.join(consumer, 'node_modules');
  await mkdir(modules, { recursive: true });
  at = { env: workspace.env, cwd: consumer };

  const pack = ['pack', '--ignore-scripts', '--offline', '--silent', '--pack-destination', consumer];
  const { code, stdout } = await runProgram('npm', pack, { env: workspace.env, cwd: PROJECT });
  expect(code).toBe(0);
  await promisify(execFile)('tar', ['-xzf', path.join(consumer, stdout.trim()), '-C', consumer]);
  await rename(path.join(consumer, 'package'), path.join(modules, NAME));
  const { dependencies } = z
    .looseObject({ dependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(await readFile(path.join(modules, NAME, 'package.json'), 'utf8')));
  for (const name of [...Object.keys(dependencies), ...OWN]) {
    await mkdir(path.dirname(path.join(modules, name)), { recursive: true });
    await symlink(await realpath(path.join(PROJECT, 'node_modules', name)), path.join(modules, name));
  }
  await writeFile(path.join(consumer, 'package.json'), '{"type":"module"}');
  await cp(path.join(PROJECT, 'examples', 'typed-client.ts'), path.join(consumer, 'typed-client.ts'));
  await cp(path.join(PROJECT, 'test', 'fixtures', 'consumer', 'types.ts'), path.join(consumer, 'types.ts'));
}, 120_000);

afterAll(() => workspace?.close());

/** Compiles both programs as strictly as it goes, also the declarations they import. */
async function compile(module: string, moduleResolution: string) {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    target: 'es2022',
    lib: ['es2023'],
    types: ['node'],
    outDir: 'out',
    rootDir: '.',
    module,
    moduleResolution,
  };
  await writeFile(
    path.join(consumer, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['typed-client.ts', 'types.ts'] }),
  );
  return runProgram(process.execPath, [TSC, '-p', '.'], at);
}

// the compiler reads every declaration there is, and other programs may want the machine too
describe('the installed package', { timeout: 120_000 }, () => {
  it.each([
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])('is typed for a strict program with modules of %s, resolved as by %s', async (module, resolution) => {
    const { code, stdout } = await compile(module, resolution);
    expect(stdout).toBe('');
    expect(code).toBe(0);
  });

  it('would not compile a program that misuses it', async () => {
    await writeFile(
      path.join(consumer, 'types.ts'),
      (await readFile(path.join(consumer, 'types.ts'), 'utf8')).replaceAll('@ts-expect-error', ''),
    );
    const { code, stdout } = await compile('nodenext', 'nodenext');
    expect(code).not.toBe(0);
    expect(stdout.match(/^types\.ts\(/gm)).toHaveLength(8);
  });

  it('starts the hub, a session and its agent, and lets the process end', async () => {
    const run = await runProgram(process.execPath, ['out/typed-client.js', workspace.path, 'greeting'], at);
    expect(run.stderr).toBe('');
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/^Session greeting-\w{4} is (?:starting|queued)/m);
    expect(run.stdout).toMatch(/^greeting-\w{4} started$/m);
    expect(run.stdout).toMatch(/^status completed, \d+ ms$/m);
    expect(run.stdout).toMatch(/tool_use +.*cat greeting\.txt[\s\S]*tool_result +Hello\./);
    expect(await readFile(path.join(workspace.path, 'greeting.txt'), 'utf8')).toBe('Hello.\n');
    expect(await workspace.hub()).toBeDefined();
    await expect.poll(() => workspace.task('greeting')).toMatch(/Session queued by typed-client \d/);
  });

  it('tells code and hint of what went wrong', async () => {
    const run = await runProgram(process.execPath, ['out/typed-client.js', workspace.path, 'greetin'], at);
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/^TASK_NOT_FOUND: .*Did you mean "greeting"\?\nCall task_list/);
  });

  it('exports nothing but its front', async () => {
    const inside = `import('${NAME}/dist/hub.cjs').then(() => 'open', (error) => error.code).then(console.log)`;
    const { stdout } = await runProgram(process.execPath, ['--input-type=module', '--eval', inside], at);
    expect(stdout).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\n');
    const names = `import('${NAME}').then((all) => console.log(Object.keys(all).join(' ')))`;
    const { stdout: exported } = await runProgram(process.execPath, ['--input-type=module', '--eval', names], at);
    expect(exported).toBe('ScopecraftError SessionError TaskSessionStorage connect\n');
  });
});
