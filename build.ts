// Bundles each program into one file under dist/, because the first answer of a cold door must come fast.
import { cp, mkdir, rm, writeFile, chmod, readFile } from 'node:fs/promises';
import { build } from 'esbuild';

const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };

await rm('dist', { recursive: true, force: true });
await mkdir('dist', { recursive: true });
await build({
  entryPoints: { door: 'server/main.ts', hub: 'server/hub-main.ts', cli: 'cli/main.ts', 'demo-agent': 'runners/demo-agent.ts' },
  outdir: 'dist',
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
  banner: { js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);" },
});
for (const script of ['runners/supervise.sh', 'server/keeper.sh']) await cp(script, `dist/${script.split('/').at(-1)}`);
for (const program of ['door', 'cli']) await chmod(`dist/${program}.mjs`, 0o755);
await writeFile('dist/version', `${version}\n`);
