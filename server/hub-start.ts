// Starts the hub from its bundle with the code that V8 made of it when it was built: compiling it took a sixth of a cold start.
//
// V8 refuses code of another version of itself or of other flags; then the bundle is compiled as usual. The build keeps the code by `--keep-code`.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Script } from 'node:vm';

/** What the files of this build are called. */
declare const __HUB__: string;

const folder = import.meta.dirname;
const file = path.join(folder, `${__HUB__}.js`);
const codeFile = path.join(folder, `${__HUB__}.code`);

// the build leaves nothing but ASCII in the bundle, and V8 takes that as it is
const source = readFileSync(file, 'latin1');
// the code keeps the name from when it was built: no folder may be in it
const script = new Script(source, { filename: path.basename(file), cachedData: keptCode() });
const { values } = parseArgs({ options: { 'keep-code': { type: 'boolean' } }, strict: false });
// at the end, when all that a start needs has been compiled
if (values['keep-code']) process.once('exit', () => writeFileSync(codeFile, script.createCachedData()));
script.runInThisContext()(createRequire(file), {}, {}, folder, (name: string) => import(name));

function keptCode(): Buffer | undefined {
  try {
    return readFileSync(codeFile);
  } catch {
    // only the quicker way is missing
    return undefined;
  }
}
