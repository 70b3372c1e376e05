// queue://status: the line and the slots.
import { lineText, lineView } from '../core/line-view.ts';
import type { Resource } from './define.ts';

export const queueStatus: Resource = {
  name: 'queue-status',
  title: 'Queue status',
  description: 'The slots, what runs, and the first sessions in the line; the tool queue_status answers the same.',
  uriTemplate: 'queue://status',
  mimeType: 'application/json',
  async read(_variables, orchestrator) {
    const view = lineView(orchestrator);
    const status = { summary: lineText(view), ...view };
    return { text: JSON.stringify(status), mimeType: 'application/json', final: false };
  },
  // limits are settings, and a call may change them
  stale: (event) =>
    /^(session|queue|resource|config)\./.test(event.name) && event.name !== 'session.spoke' ? ['queue://status'] : [],
};
