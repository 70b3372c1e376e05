// The client as the package ships it: its types from the source, its code from dist/.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { PROJECT } from './project.ts';

/** What `import 'scopecraft-orchestrator'` gives a program. */
export async function builtClient(): Promise<typeof import('../../client/index.ts')> {
  return import(pathToFileURL(path.join(PROJECT, 'dist', 'index.mjs')).href);
}
