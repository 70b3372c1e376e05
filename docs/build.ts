// Writes the generated pages and schemas. With `--check` it writes nothing, names what is stale and ends with 1.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { staleFiles } from './stale.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const stale = await staleFiles(root);

if (process.argv.includes('--check')) {
  for (const { file, text } of stale)
    console.error(
      text === undefined ? `${file} should not be there; run \`npm run docs\`.` : `${file} is stale; run \`npm run docs\`.`,
    );
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const { file, text } of stale) {
    const target = path.join(root, file);
    if (text === undefined) await rm(target);
    else await mkdir(path.dirname(target), { recursive: true }).then(() => writeFile(target, text));
    console.log(`${text === undefined ? 'removed' : 'wrote'} ${file}`);
  }
}
