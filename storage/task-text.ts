// Makes a task of the bytes of its file.
import type { Task } from '../core/task.ts';
import { type Fields, type Layout, layoutOf, readFields } from './front-matter.ts';
import { isText } from './inside.ts';
import { findSection, headingOf, type Markdown, readMarkdown } from './markdown-sections.ts';
import { HISTORY_HEADING } from './session-history.ts';

/** A task, or what is wrong with its text. `details` may quote the file. */
export type TaskOutcome = { readonly task: Task } | { readonly problem: string; readonly details?: string };

/** Reads the text of a task file. */
export function readTask(id: string, file: string, bytes: Buffer): TaskOutcome {
  if (!isText(bytes)) return { problem: 'it is no UTF-8 text' };
  const text = bytes.toString('utf8');
  const layout = layoutOf(text);
  const outcome = readFields(text, layout.frontMatter);
  if (!('fields' in outcome)) return outcome;
  const { fields } = outcome;
  const markdown = readMarkdown(text, layout.bodyStart);
  return {
    task: { id, file, title: titleOf(text, layout, fields, markdown) || id, fields, body: bodyOf(text, layout, markdown) },
  };
}

function titleOf(text: string, layout: Layout, { title: field }: Fields, { lines }: Markdown): string | undefined {
  if (layout.title) return headingOf(text, layout.title).trim();
  if (typeof field === 'string' && field.trim() !== '') return field.trim();
  const heading = lines.find((line) => line.level === 1);
  return heading && headingOf(text, heading).trim();
}

function bodyOf(text: string, layout: Layout, markdown: Markdown): string {
  const history = findSection(text, markdown, 2, HISTORY_HEADING);
  if (!history) return text.slice(layout.bodyStart).trim();
  const above = text.slice(layout.bodyStart, markdown.lines[history.from]?.start ?? text.length).trim();
  const below = text.slice(markdown.lines[history.to]?.start ?? text.length).trim();
  return [above, below].filter(Boolean).join('\n\n');
}
