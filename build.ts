// Bundles each program into one file under dist/, because the first answer of a cold door must come fast.

import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const { version }: { version: string } = JSON.parse(await readFile('package.json', 'utf8'));

const refuse = (name: string) => `() => { throw new Error("${name} is not part of this program.") }`;

/** What packages bring along and our programs never use; reading it took every start of a hub 35 ms. */
const leaveOut: Plugin = {
  name: 'leave-out',
  setup({ onResolve, onLoad }) {
    // zod's messages in fifty languages; English is loaded by itself
    onResolve({ filter: /^\.\.\/locales\/index\.js$/ }, () => ({ path: 'locales', namespace: 'left-out' }));
    onLoad({ filter: /^locales$/, namespace: 'left-out' }, () => ({ contents: 'export {};' }));
    // the YAML reader of gray-matter, and esprima with it: ours is the package yaml
    onResolve({ filter: /^js-yaml$/ }, () => ({ path: 'js-yaml', namespace: 'left-out' }));
    onLoad({ filter: /^js-yaml$/, namespace: 'left-out' }, () => ({
      contents: `exports.safeLoad = exports.safeDump = ${refuse('js-yaml')};`,
    }));
    // the SDK's checker of JSON schemas, an eighth of the hub: only forms of which the SDK itself checks the answer would need it
    onResolve({ filter: /^\.\/ajvProvider-\w+\.mjs$/ }, ({ importer }) =>
      /[\\/]@modelcontextprotocol[\\/]server[\\/]/.test(importer) ? { path: 'ajv', namespace: 'left-out' } : undefined,
    );
    onLoad({ filter: /^ajv$/, namespace: 'left-out' }, () => ({
      contents: `export class n { getValidator = ${refuse('ajv')} }`,
    }));
  },
};

/** The built-in rules as texts in the program, where it would read their files in the sources. */
const embedRules: Plugin = {
  name: 'embed-rules',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]prompts[\\/]built-in\.ts$/ }, async () => {
      const names = (await readdir('prompts/templates')).filter((name) => name.endsWith('.md')).sort();
      const texts = await Promise.all(
        names.map(async (name) => [name.slice(0, -'.md'.length), await readFile(`prompts/templates/${name}`, 'utf8')] as const),
      );
      return { contents: `export const BUILT_IN = ${JSON.stringify(Object.fromEntries(texts))};` };
    });
  },
};

// built beside and put in place at the end, so that programs that run meanwhile never miss a file
const fresh = `dist.${process.pid}`;
process.on('exit', () => rmSync(fresh, { recursive: true, force: true }));
await mkdir(fresh, { recursive: true });
const options = {
  outdir: fresh,
  bundle: true,
  platform: 'node',
  target: 'node20',
  minifySyntax: true,
  legalComments: 'none',
  define: { __VERSION__: JSON.stringify(version) },
  // channelcoder is loaded when the first Claude run is prepared, not when the hub starts
  external: ['channelcoder'],
  plugins: [leaveOut, embedRules],
} as const satisfies BuildOptions;
// Node.js starts a script sooner than a module, and V8 keeps code of scripts only
const script = {
  ...options,
  format: 'cjs',
  define: { ...options.define, 'import.meta.dirname': '__dirname' },
  outExtension: { '.js': '.cjs' },
  banner: { js: '#!/usr/bin/env node' },
} as const satisfies BuildOptions;
await build({ ...script, entryPoints: { door: 'server/main.ts' } });
await buildKept('hub', 'server/hub-main.ts');
await buildKept('cli', 'cli/main.ts');
await build({
  ...options,
  entryPoints: { 'demo-agent': 'runners/demo-agent.ts', index: 'client/index.ts' },
  outExtension: { '.js': '.mjs' },
  format: 'esm',
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
  },
});
await keepCode();
// the compiler writes a declaration for every file; `exports` in package.json leads to that of client/index.ts
await promisify(execFile)(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'client', '--outDir', `${fresh}/types`]);
for (const name of ['runners/supervise.sh', 'runners/hook.sh', 'server/keeper.sh'])
  await cp(name, `${fresh}/${name.split('/').at(-1)}`);
for (const program of ['door.cjs', 'cli.cjs']) await chmod(`${fresh}/${program}`, 0o755);
await writeFile(`${fresh}/version`, `${version}\n`);
if (existsSync('dist')) await rename('dist', `${fresh}.old`);
await rename(fresh, 'dist');
await rm(`${fresh}.old`, { recursive: true, force: true });

/** Bundles a program that server/kept-code.ts starts, and beside it the one that keeps its code. */
async function buildKept(name: string, entryPoint: string): Promise<void> {
  const { outputFiles } = await build({
    ...script,
    banner: {},
    write: false,
    entryPoints: [entryPoint],
    minifyWhitespace: true,
  });
  // code that was kept cannot import, so what starts it does
  const text = outputFiles[0]?.text.replace(/\bimport\((?="(?:channelcoder|node:\w+)"\))/g, '__import(') ?? '';
  if (/\bimport\(|[^\x00-\x7f]/.test(text))
    throw new Error(`${name} imports another package when it runs, or is not plain ASCII.`);
  const wrapped = `(function (require, exports, module, __dirname, __import) {${text}\n})`;
  // V8 takes code for another text of the same length, so neither may ever be found beside the other of another build
  const program = `${name}-${createHash('sha256').update(wrapped).digest('hex').slice(0, 12)}`;
  await writeFile(`${fresh}/${program}.js`, wrapped);
  for (const keeps of [false, true]) {
    const define = { ...script.define, __PROGRAM__: JSON.stringify(program), __KEEPS__: String(keeps) };
    await build({ ...script, entryPoints: { [keeps ? `keep-${name}` : name]: 'server/kept-code.ts' }, define });
  }
}

/** Lets a hub serve a workspace for a moment and a command ask it, so that V8 compiles what a start needs, and keep that code beside them. */
async function keepCode(): Promise<void> {
  const workspace = await mkdtemp(path.join(tmpdir(), 'sc-build-'));
  const home = path.join(workspace, 'home');
  await mkdir(home);
  const run = { cwd: workspace, env: { PATH: process.env.PATH, HOME: home, TMPDIR: workspace } };
  const program = (name: string) => path.resolve(fresh, name);
  const where = ['--workspace', workspace];
  const hub = spawn(process.execPath, [program('keep-hub.cjs'), ...where], { ...run, stdio: 'ignore' });
  try {
    const claim = path.join(workspace, '.scopecraft', 'state', 'hub.1.json');
    for (const until = Date.now() + 30_000; !existsSync(claim); await sleep(20))
      if (Date.now() > until) throw new Error('The hub did not start.');
    const answers = execFileSync(process.execPath, [program('door.cjs'), ...where], {
      ...run,
      input: asked().join(''),
      encoding: 'utf8',
    });
    if (answers.match(/^\{"result":/gm)?.length !== asked().length) throw new Error(`The hub did not answer: ${answers}`);
    execFileSync(process.execPath, [program('keep-cli.cjs'), 'queue', 'status', ...where], { ...run, stdio: 'ignore' });
  } finally {
    if (hub.exitCode === null && hub.signalCode === null) {
      hub.kill();
      await once(hub, 'exit');
    }
    await rm(workspace, { recursive: true, force: true });
  }
  for (const name of ['hub', 'cli']) await rm(program(`keep-${name}.cjs`));
}

/** What a client begins with, a line each. */
function asked(): string[] {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'build', version },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const calls = [
    { method: 'server/discover', params: {} },
    { method: 'tools/list', params: {} },
    { method: 'tools/call', params: { name: 'queue_status', arguments: {} } },
  ];
  return calls.map(
    ({ method, params }, id) => `${JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta } })}\n`,
  );
}
