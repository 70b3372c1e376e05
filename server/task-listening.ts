// Wishes to be told how tasks stand. The Tasks extension leaves it to the server whether it tells; this one does not: the acknowledgement names no
// task, and the client asks with `tasks/get` as often as `pollIntervalMs` says. Who does not say that it can follow a task is told that first.
import { MissingRequiredClientCapabilityError } from '@modelcontextprotocol/server';
import { part } from './messages.ts';
import { declaresTasks, TASK_CAPABILITIES } from './tasks.ts';

const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';

/** True for a request to be told of changes. */
export function isListening(message: unknown): boolean {
  return part(message, 'method') === 'subscriptions/listen';
}

/** Why this wish is refused, as JSON-RPC tells it; undefined for all other messages. */
export function taskListeningProblem(
  message: unknown,
): { readonly code: number; readonly message: string; readonly data: unknown } | undefined {
  if (!isListening(message)) return undefined;
  const params = part(message, 'params');
  const taskIds = part(part(params, 'notifications'), 'taskIds');
  if (taskIds === undefined || declaresTasks(part(part(params, '_meta'), CAPABILITIES))) return undefined;
  const problem = new MissingRequiredClientCapabilityError({ requiredCapabilities: { extensions: TASK_CAPABILITIES } });
  return { code: problem.code, message: problem.message, data: problem.data };
}
