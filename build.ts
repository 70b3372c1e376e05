// Bundles each program into one file under dist/, because the first answer of a cold door must come fast.

import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { chmod, cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const { version }: { version: string } = JSON.parse(await readFile('package.json', 'utf8'));

/** What packages bring along and our programs never use; reading it took every start of a hub 35 ms. */
const leaveOut: Plugin = {
  name: 'leave-out',
  setup({ onResolve, onLoad }) {
    // zod's messages in fifty languages; English is loaded by itself
    onResolve({ filter: /^\.\.\/locales\/index\.js$/ }, () => ({ path: 'locales', namespace: 'left-out' }));
    onLoad({ filter: /^locales$/, namespace: 'left-out' }, () => ({ contents: 'export {};' }));
    // the YAML reader of gray-matter, and esprima with it: ours is the package yaml
    onResolve({ filter: /^js-yaml$/ }, () => ({ path: 'js-yaml', namespace: 'left-out' }));
    const refuse = '() => { throw new Error("js-yaml is not part of this program.") }';
    onLoad({ filter: /^js-yaml$/, namespace: 'left-out' }, () => ({
      contents: `exports.safeLoad = exports.safeDump = ${refuse};`,
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
await build({
  ...options,
  entryPoints: {
    door: 'server/main.ts',
    hub: 'server/hub-start.ts',
    cli: 'cli/main.ts',
    'demo-agent': 'runners/demo-agent.ts',
    index: 'client/index.ts',
  },
  outExtension: { '.js': '.mjs' },
  format: 'esm',
  define: { ...options.define, __HUB__: JSON.stringify(hubName) },
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
  },
});
keepCode();
// the compiler writes a declaration for every file; `exports` in package.json leads to that of client/index.ts
await promisify(execFile)(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'client', '--outDir', `${fresh}/types`]);
for (const script of ['runners/supervise.sh', 'runners/hook.sh', 'server/keeper.sh'])
  await cp(script, `${fresh}/${script.split('/').at(-1)}`);
for (const program of ['door', 'cli']) await chmod(`${fresh}/${program}.mjs`, 0o755);
await writeFile(`${fresh}/version`, `${version}\n`);
if (existsSync('dist')) await rename('dist', `${fresh}.old`);
await rename(fresh, 'dist');
await rm(`${fresh}.old`, { recursive: true, force: true });

/** Lets the hub answer once, so that V8 compiles what a start needs, and keep that code beside it. */
function keepCode(): void {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'build', version },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const asked = ['server/discover', 'tools/list'].map((method, id) => ({ jsonrpc: '2.0', id, method, params: { _meta } }));
  const input = asked.map((request) => `${JSON.stringify(request)}\n`).join('');
  const answers = execFileSync(process.execPath, [`${fresh}/hub.mjs`, '--no-workspace', '--keep-code'], {
    input,
    encoding: 'utf8',
  });
  if (answers.match(/^\{"result":/gm)?.length !== asked.length) throw new Error(`The hub did not answer: ${answers}`);
}
