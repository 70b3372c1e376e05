// Which generated files are not what the code says: missing, different, or left over from a tool that is gone.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { ROOMS, type SourceFile } from './files-page.ts';
import { generatedFiles, type Sources } from './pages.ts';

export interface Stale {
  /** Path below the project. */
  readonly file: string;
  /** As it should be; undefined when it should not be there. */
  readonly text: string | undefined;
}

/** What the files are made of, as it is in the project at `root`. */
export async function readSources(root: string): Promise<Sources> {
  const [readme, examples, config, ...files] = await Promise.all([
    readFile(path.join(root, 'README.md'), 'utf8'),
    readFile(path.join(root, 'examples', 'README.md'), 'utf8'),
    readFile(path.join(root, 'examples', 'config.json'), 'utf8'),
    ...ROOMS.map((room) => sourcesBelow(root, room)),
  ]);
  return { readme, examples, config, files: files.flat() };
}

/** The stale files of the project at `root`. */
export async function staleFiles(root: string): Promise<readonly Stale[]> {
  const at = (file: string) => path.join(root, file);
  const files = generatedFiles(await readSources(root));
  const changed = await Promise.all(
    [...files].map(async ([file, text]) =>
      (await readFile(at(file), 'utf8').catch(() => undefined)) === text ? [] : [{ file, text }],
    ),
  );
  const schemas = (await readdir(at('docs/schemas')).catch(() => [])).map((name) => `docs/schemas/${name}`);
  return [...changed.flat(), ...schemas.filter((file) => !files.has(file)).map((file) => ({ file, text: undefined }))];
}

async function sourcesBelow(root: string, room: string): Promise<readonly SourceFile[]> {
  const names = await readdir(path.join(root, room), { recursive: true });
  const files = names.filter((name) => /\.(?:ts|sh)$/.test(name)).map((name) => `${room}/${name.split(path.sep).join('/')}`);
  return Promise.all(files.map(async (file) => ({ file, text: await readFile(path.join(root, file), 'utf8') })));
}
