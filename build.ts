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
// V8 keeps code of scripts only, not of modules; and code that was kept cannot import, so what starts it does
const hub = await build({
  ...options,
  write: false,
  entryPoints: { 'hub-main': 'server/hub-main.ts' },
  format: 'cjs',
  minifyWhitespace: true,
  define: { ...options.define, 'import.meta.dirname': '__dirname' },
});
const parts = hub.outputFiles[0]?.text.split('import("channelcoder")') ?? [];
if (parts.length !== 2 || parts.some((part) => /\bimport\(|[^\x00-\x7f]/.test(part)))
  throw new Error('The hub imports another package when it runs, or is not plain ASCII.');
const hubText = `(function (require, exports, module, __dirname, __import) {${parts.join('__import("channelcoder")')}\n})`;
// V8 takes code for another text of the same length, so neither may ever be found beside the other of another build
const hubName = `hub-${createHash('sha256').update(hubText).digest('hex').slice(0, 12)}`;
await writeFile(`${fresh}/${hubName}.js`, hubText);
// what a cold door waits for: Node.js starts a script of this kind sooner than a module
await build({
  ...options,
  entryPoints: { door: 'server/main.ts', hub: 'server/hub-start.ts' },
  outExtension: { '.js': '.cjs' },
  format: 'cjs',
  define: { ...options.define, __HUB__: JSON.stringify(hubName), 'import.meta.dirname': '__dirname' },
  banner: { js: '#!/usr/bin/env node' },
});
await build({
  ...options,
  entryPoints: {
    cli: 'cli/main.ts',
    'demo-agent': 'runners/demo-agent.ts',
    index: 'client/index.ts',
  },
  outExtension: { '.js': '.mjs' },
  format: 'esm',
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
  },
});
await keepCode();
// the compiler writes a declaration for every file; `exports` in package.json leads to that of client/index.ts
await promisify(execFile)(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'client', '--outDir', `${fresh}/types`]);
for (const script of ['runners/supervise.sh', 'runners/hook.sh', 'server/keeper.sh'])
  await cp(script, `${fresh}/${script.split('/').at(-1)}`);
for (const program of ['door.cjs', 'cli.mjs']) await chmod(`${fresh}/${program}`, 0o755);
await writeFile(`${fresh}/version`, `${version}\n`);
if (existsSync('dist')) await rename('dist', `${fresh}.old`);
await rename(fresh, 'dist');
await rm(`${fresh}.old`, { recursive: true, force: true });

/** Lets a hub serve a workspace for a moment, so that V8 compiles what a start needs, and keep that code beside it. */
async function keepCode(): Promise<void> {
  const workspace = await mkdtemp(path.join(tmpdir(), 'sc-build-'));
  const home = path.join(workspace, 'home');
  await mkdir(home);
  const run = { cwd: workspace, env: { PATH: process.env.PATH, HOME: home, TMPDIR: workspace } };
  const where = ['--workspace', workspace];
  const hub = spawn(process.execPath, [path.resolve(fresh, 'hub.cjs'), ...where, '--keep-code'], { ...run, stdio: 'ignore' });
  try {
    const claim = path.join(workspace, '.scopecraft', 'state', 'hub.1.json');
    for (const until = Date.now() + 30_000; !existsSync(claim); await sleep(20))
      if (Date.now() > until) throw new Error('The hub did not start.');
    const answers = execFileSync(process.execPath, [path.resolve(fresh, 'door.cjs'), ...where], {
      ...run,
      input: asked().join(''),
      encoding: 'utf8',
    });
    if (answers.match(/^\{"result":/gm)?.length !== asked().length) throw new Error(`The hub did not answer: ${answers}`);
  } finally {
    if (hub.exitCode === null && hub.signalCode === null) {
      hub.kill();
      await once(hub, 'exit');
    }
    await rm(workspace, { recursive: true, force: true });
  }
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
