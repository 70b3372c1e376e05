// docs/events.md, made from the table of events.
import { EVENTS } from '../core/events.ts';
import { fieldTable, shapeSections } from './fields.ts';
import { code, page, tableOf } from './markdown.ts';

export function eventsPage(): string {
  const events = Object.entries(EVENTS);
  return page('Events', [
    'The ledger holds these facts and nothing else. The state of every session is what its facts add up to.',
    'Each has an envelope: `seq` (its number), `at` (milliseconds since the epoch), `node` (who recorded it, `<host>/<number of the hub>`), `name` and `data`. ' +
      'The tool `event_list` shows them with `at` as ISO 8601, with long prompts cut, and without `node`.',
    'Besides these there is the signal `session.spoke`: the log of a session grew. It is told to whoever listens and is not kept.',
    tableOf(
      ['event', 'says'],
      events.map(([name, { says }]) => [`[${code(name)}](#${name.replaceAll('.', '')})`, says]),
    ),
    ...events.map(([name, { says, data }]) => `## ${name}\n\n${says}\n\n${fieldTable(data)}`),
    '## Shapes',
    ...shapeSections(['Cause', 'Result', 'Process']),
  ]);
}
