// Bundles each program into one file under dist/, because the first answer of a cold door must come fast.

import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { build, type Plugin } from 'esbuild';

const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };

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

// built beside and put in place at the end, so that programs that run meanwhile never miss a file
const fresh = `dist.${process.pid}`;
await mkdir(fresh, { recursive: true });
await build({
  entryPoints: { door: 'server/main.ts', hub: 'server/hub-main.ts', cli: 'cli/main.ts', 'demo-agent': 'runners/demo-agent.ts' },
  outdir: fresh,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  minifySyntax: true,
  legalComments: 'none',
  define: { __VERSION__: JSON.stringify(version) },
  // channelcoder is loaded when the first Claude run is prepared, not when the hub starts
  external: ['channelcoder'],
  plugins: [leaveOut],
  banner: {
    js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
  },
});
for (const script of ['runners/supervise.sh', 'runners/hook.sh', 'server/keeper.sh'])
  await cp(script, `${fresh}/${script.split('/').at(-1)}`);
for (const program of ['door', 'cli']) await chmod(`${fresh}/${program}.mjs`, 0o755);
await writeFile(`${fresh}/version`, `${version}\n`);
if (existsSync('dist')) await rename('dist', `${fresh}.old`);
await rename(fresh, 'dist');
await rm(`${fresh}.old`, { recursive: true, force: true });
