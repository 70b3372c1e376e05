// session://{id}: one session as it stands.
import { withCutRequests } from '../core/cut-requests.ts';
import { sessionOf } from '../core/events.ts';
import { isSettled } from '../core/session.ts';
import { sessionUri } from '../core/views.ts';
import type { Resource } from './define.ts';

/** For all that it asks and asked, in characters; its result is whole. */
const REQUESTS_ROOM = 8000;

export const session: Resource = {
  name: 'session',
  title: 'Session',
  description:
    'One session as it stands, its result whole: what session_get tells, but for estimatedStart and suggestions. Changes with every change of its status.',
  uriTemplate: 'session://{id}',
  mimeType: 'application/json',
  async read({ id = '' }, orchestrator) {
    const found = orchestrator.get(id);
    const view = withCutRequests(orchestrator.view(found), REQUESTS_ROOM);
    return { text: JSON.stringify(view), mimeType: 'application/json', final: isSettled(found) };
  },
  stale(event) {
    if (event.name === 'session.spoke') return [];
    const id = sessionOf(event);
    // nobody can know of a session before the fact that made it
    return id === undefined || event.name === 'session.queued' ? [] : [sessionUri(id)];
  },
};
