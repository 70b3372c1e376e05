// Starts the hub from its bundle with the code that V8 made of it when it was built: without that, reading the bundle takes a fifth of a cold start.
//
// V8 refuses code of another version of itself or of other flags; then the bundle is compiled as usual. The build keeps the code by `--keep-code`.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { constants, Script } from 'node:vm';

const folder = import.meta.dirname;
const file = path.join(folder, 'hub-main.cjs');
const codeFile = path.join(folder, 'hub-main.code');

// the build leaves nothing but ASCII in the bundle, and V8 takes that as it is
const source = readFileSync(file, 'latin1');
const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
  filename: file,
  cachedData: keptCode(),
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
const { values } = parseArgs({ options: { 'keep-code': { type: 'boolean' } }, strict: false });
// at the end, when all that a start needs has been compiled
if (values['keep-code']) process.once('exit', () => writeFileSync(codeFile, script.createCachedData()));
script.runInThisContext()({}, createRequire(file), {}, file, folder);

function keptCode(): Buffer | undefined {
  try {
    return readFileSync(codeFile);
  } catch {
    // only the quicker way is missing
    return undefined;
  }
}
