// Which call is being worked on, for those who are not told: the store of events of the SDK's HTTP transport.
// Node.js makes every promise of the process dearer while such a store is in use (a sixteenth of a hub's time), so it is let go when nothing is open.
import { AsyncLocalStorage } from 'node:async_hooks';

const calls = new AsyncLocalStorage<string>();
let open = 0;

/** Does the deed as this call, of which there is one answer. */
export function asCall<Result>(callId: string, deed: () => Result): Result {
  open += 1;
  return calls.run(callId, deed);
}

/** The call that this code works for. */
export function currentCall(): string | undefined {
  return calls.getStore();
}

/** Says that a call has its answer: what is done for it afterwards need not be known as such. */
export function callAnswered(): void {
  open -= 1;
  if (open === 0) calls.disable();
}
