// The rules that come with the program: the Markdown files in `templates/`. The bundle of the hub has their texts in place of this file, see `build.ts`.
import { readdirSync, readFileSync } from 'node:fs';

const FOLDER = new URL('./templates/', import.meta.url);

/** Name of a rule -> the text of its file. */
export const BUILT_IN: Readonly<Record<string, string>> = Object.fromEntries(
  readdirSync(FOLDER)
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => [name.slice(0, -'.md'.length), readFileSync(new URL(name, FOLDER), 'utf8')]),
);
