// What can be wrong with a start: each check fails with a code of the table, before anything is recorded.
import { type AgentEntry, agentNames } from './agent.ts';
import { isBranchName } from './branch-name.ts';
import { type Config, MAX_PROMPT_BYTES } from './config.ts';
import { checkDelegation } from './delegation.ts';
import { fail, nearest } from './errors.ts';
import type { Priority } from './priority.ts';
import { MAX_SCHEMA_LENGTH, schemaOf } from './result-schema.ts';
import { activeCount } from './scheduler.ts';
import { isSettled, type SessionType } from './session.ts';
import type { Caller, StartParts, StartRequest } from './start.ts';

/** Fails with DEPTH_EXCEEDED or TASK_BUSY when this session may not start one on the task. */
export function checkParent(
  { ledger, settings }: StartParts,
  parentId: string,
  caller: Caller,
  taskId: string | undefined,
): void {
  const parent = ledger.session(parentId) ?? fail('SESSION_NOT_FOUND', `There is no session "${parentId}" to be the parent.`);
  if (caller.sessionId !== undefined && (parent.stop || isSettled(parent)))
    fail('DEPTH_EXCEEDED', `Session ${parentId} is ${parent.status}; it may start nothing more.`);
  checkDelegation(ledger, { parent, taskId }, settings.current().delegation);
}

/** Fails with INVALID_INPUT on the priority that callers may not use. */
export function checkPriority(priority: Priority, { queue }: Config): void {
  if (priority !== 'urgent' || queue.allowUrgent) return;
  fail('INVALID_INPUT', 'The priority "urgent" is kept for system operations; `queue.allowUrgent` in the config opens it.');
}

/** Fails with INVALID_INPUT on what does not go together. */
export function checkKind({ type, resultSchema, worktree }: StartRequest): void {
  if (resultSchema !== undefined) {
    if (resultSchema.length > MAX_SCHEMA_LENGTH)
      fail('INVALID_INPUT', `The resultSchema has ${resultSchema.length} characters; at most ${MAX_SCHEMA_LENGTH} are taken.`);
    schemaOf(resultSchema);
    if (type === 'interactive')
      fail('INVALID_INPUT', 'An interactive session ends with no structured result; leave resultSchema out.');
  }
  if (worktree === '') fail('INVALID_INPUT', 'The worktree needs a branch name, or true for one named after the session.');
  if (typeof worktree === 'string' && !isBranchName(worktree))
    fail(
      'INVALID_INPUT',
      `${JSON.stringify(worktree)} is no name for a branch, such as fix/login; true takes one named after the session.`,
    );
}

/** Fails with PROMPT_EMPTY or PROMPT_TOO_LARGE. */
export function checkPrompt({ taskId, prompt, rule, template }: StartRequest): void {
  if (prompt === undefined && taskId === undefined && rule === undefined && template === undefined)
    fail('PROMPT_EMPTY', 'Neither a task nor a prompt was given.');
  if (prompt !== undefined) checkText(prompt);
}

/** Fails with PROMPT_EMPTY or PROMPT_TOO_LARGE. */
export function checkText(prompt: string): void {
  if (prompt.trim() === '') fail('PROMPT_EMPTY', 'The prompt is empty.');
  const bytes = new TextEncoder().encode(prompt).length;
  if (bytes > MAX_PROMPT_BYTES) fail('PROMPT_TOO_LARGE', `The prompt has ${bytes} bytes; at most ${MAX_PROMPT_BYTES} are taken.`);
}

/** Fails with NO_SLOT, QUEUE_FULL or STORAGE_FULL. */
export function checkRoom({ queue, ledger, settings }: StartParts, request: StartRequest, by: string): void {
  ledger.expectRoom();
  const { resources, queue: limits } = settings.current();
  const line = queue.line();
  const waiting = line.waiting.length;
  if (!request.queue && activeCount(line) >= line.cap) fail('NO_SLOT', `All ${line.cap} slots are taken.`);
  if (waiting >= resources.maxQueueSize) fail('QUEUE_FULL', `The line is full: ${waiting} sessions wait.`);
  if (limits.maxPerUser === 0) return;
  const own = line.waiting.filter(({ sessionId }) => ledger.session(sessionId)?.by === by).length;
  if (own >= limits.maxPerUser) fail('QUEUE_FULL', `${own} sessions of ${by} wait; ${limits.maxPerUser} are allowed.`);
}

/** Fails with AGENT_UNKNOWN, naming those there are. */
export function unknownAgent(name: string, config: Config): never {
  const names = agentNames(config);
  const near = nearest(name, names);
  return fail(
    'AGENT_UNKNOWN',
    `There is no agent "${name}".${near ? ` Did you mean "${near}"?` : ''} Declared are: ${names.join(', ')}.`,
  );
}

/** Fails with AGENT_MISSING. */
export function missingProgram({ command, kind }: AgentEntry, name: string, type: SessionType): never {
  const what = `The program "${command ?? kind}" of agent "${name}"`;
  const tmux = type === 'interactive' ? ', or tmux, which interactive sessions run in,' : '';
  return fail('AGENT_MISSING', `${what}${tmux} is not installed or not on PATH.`);
}
