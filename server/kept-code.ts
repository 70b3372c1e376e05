// Starts a program from its bundle with the code that V8 made of it when it was built: compiling takes a sixth of a cold start of the
// hub, and a third of a command.
//
// V8 refuses code of another version of itself or of other flags; then the bundle is compiled as usual.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Script } from 'node:vm';

/** What the files of this program are called in this build. */
declare const __PROGRAM__: string;
/** True in the build, which lets the program run once to keep what it compiled. */
declare const __KEEPS__: boolean;

const folder = import.meta.dirname;
const file = path.join(folder, `${__PROGRAM__}.js`);
const codeFile = path.join(folder, `${__PROGRAM__}.code`);

// the build leaves nothing but ASCII in the bundle, and V8 takes that as it is
const source = readFileSync(file, 'latin1');
// the code keeps the name from when it was built: no folder may be in it
const script = new Script(source, { filename: path.basename(file), cachedData: keptCode() });
// at the end, when all that a start needs has been compiled
if (__KEEPS__) process.once('exit', () => writeFileSync(codeFile, script.createCachedData()));
script.runInThisContext()(createRequire(file), {}, {}, folder, (name: string) => import(name));

function keptCode(): Buffer | undefined {
  try {
    return readFileSync(codeFile);
  } catch {
    // only the quicker way is missing
    return undefined;
  }
}
