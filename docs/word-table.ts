// The table of the words that the demo agent knows, made from its own.
import { VERBS } from '../runners/demo-script.ts';
import { code, tableOf } from './markdown.ts';

/** One row a word. */
export function wordTable(): string {
  return tableOf(
    ['line', 'does'],
    Object.entries(VERBS).map(([verb, { takes, does }]) => [code(`@@${verb} ${takes}`.trim()), does]),
  );
}
