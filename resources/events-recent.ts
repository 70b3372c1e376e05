// events://recent: the newest facts of the ledger, live.
import { type EventView, eventView } from '../core/event-view.ts';
import type { Resource } from './define.ts';

const EVENTS = 50;
const CHARACTERS = 9000;

export const eventsRecent: Resource = {
  name: 'events-recent',
  title: 'Recent events',
  description: `The newest ${EVENTS} facts at most, oldest first: what was queued, started, stopped and finished. On the command line \`sc event list\` shows older ones and filters.`,
  uriTemplate: 'events://recent',
  mimeType: 'application/json',
  async read(_variables, orchestrator) {
    const { events, total } = await orchestrator.events({ limit: EVENTS });
    const shown = newestWithin(events.map(eventView), CHARACTERS);
    return {
      text: JSON.stringify({ untrusted: true, events: shown, total, cursor: String(events.at(-1)?.seq ?? 0) }, null, 2),
      mimeType: 'application/json',
      final: false,
    };
  },
  stale: (event) => (event.name === 'session.spoke' ? [] : ['events://recent']),
};

/** The newest events that fit, in their order. */
function newestWithin(views: readonly EventView[], characters: number): readonly EventView[] {
  let room = characters;
  const first = views.findLastIndex((view) => {
    room -= JSON.stringify(view, null, 2).length;
    return room < 0;
  });
  return views.slice(first + 1);
}
