// What a server owes its client: an answer to every request that has an id, however wrong it is otherwise.
import { keyOf, messagesIn, parseMessage, part } from '../../server/messages.ts';

/** Keeps the ids of what a client sent until they are answered; what was cancelled need not be. */
export function createDebts() {
  const owed = new Set<string>();
  const excused = new Set<string>();
  const take = (message: unknown) => {
    const [id, method] = [part(message, 'id'), part(message, 'method')];
    if (method === 'notifications/cancelled') excused.add(keyOf(part(part(message, 'params'), 'requestId')));
    if (typeof method !== 'string' || !(typeof id === 'string' || typeof id === 'number')) return;
    // its answer is a stream that does not end
    if (method === 'subscriptions/listen') excused.add(keyOf(id));
    owed.add(keyOf(id));
  };
  return {
    send(line: string) {
      for (const one of messagesIn(line)) take(parseMessage(one));
    },
    answered: (keys: readonly string[]) => keys.forEach((key) => void owed.delete(key)),
    open: () => [...owed].filter((key) => !excused.has(key)),
  };
}
