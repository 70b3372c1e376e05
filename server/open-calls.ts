// Which call is being worked on, for those who are not told: the store of events of the SDK's HTTP transport.
// Node.js makes every promise of the process dearer while such a store is in use (a sixteenth of a hub's time), so it is let go when nothing is open.
import { AsyncLocalStorage } from 'node:async_hooks';

const calls = new AsyncLocalStorage<string>();
const open = new Set<string>();

/** Does the deed as this call, which is open until `callEnded` says otherwise. */
export function asCall<Result>(callId: string, deed: () => Result): Result {
  open.add(callId);
  return calls.run(callId, deed);
}

/** The call that this code works for. */
export function currentCall(): string | undefined {
  return calls.getStore();
}

/** Says that a call has its answer, or will never have one: what is done for it afterwards need not be known as such. May be said again. */
export function callEnded(callId: string): void {
  if (open.delete(callId) && open.size === 0) calls.disable();
}
