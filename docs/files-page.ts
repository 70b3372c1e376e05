// docs/files.md: every file of the product with its own first sentence.
import { firstSentence, page, tableOf } from './markdown.ts';

/** The rooms in the order in which they are read best. */
export const ROOMS = ['core', 'tools', 'resources', 'prompts', 'storage', 'runners', 'server', 'client', 'cli'] as const;

/** A file and its text. */
export interface SourceFile {
  /** Path below the project. */
  readonly file: string;
  readonly text: string;
}

export function filesPage(sources: readonly SourceFile[]): string {
  const sorted = sources.toSorted((a, b) => (a.file < b.file ? -1 : 1));
  return page('Files', [
    'Every file of the product, in its own words. The [architecture](architecture.md) says how they belong together.',
    ...ROOMS.map((room) => {
      const rows = sorted
        .filter(({ file }) => file.startsWith(`${room}/`))
        .map(({ file, text }) => [`[${file.slice(room.length + 1)}](../${file})`, sentenceOf(text)]);
      return `## ${room}\n\n${tableOf(['file', 'what it is for'], rows)}`;
    }),
  ]);
}

/** The first sentence of the first comment, without its marks. */
function sentenceOf(text: string): string {
  const comment = /(?:^(?:\/\/|#(?!!)) ?\S.*\n)+/m.exec(text)?.[0] ?? '';
  return firstSentence(
    comment
      .replace(/^(?:\/\/|#) ?/gm, '')
      .replaceAll('\n', ' ')
      .trim(),
  );
}
