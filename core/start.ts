// Starting a session: everything that can be wrong is found before the first fact is recorded, and the same request makes one session.
import { agentNamed, agentNames, environmentOf } from './agent.ts';
import { type Config, MAX_PROMPT_BYTES } from './config.ts';
import { checkDelegation } from './delegation.ts';
import { fail, nearest } from './errors.ts';
import type { Ledger } from './ledger.ts';
import type { Clock, Environments, Ids, JobQueue, Prompts, Settings, TaskStore } from './ports.ts';
import type { Priority } from './priority.ts';
import { jobOf } from './recovery.ts';
import { MAX_SCHEMA_LENGTH, schemaOf } from './result-schema.ts';
import type { Runner } from './run-ports.ts';
import { activeCount, holdOf, holdText, orderKeyOf, placeOf } from './scheduler.ts';
import { isSettled, type Session, type SessionType } from './session.ts';
import { slugOf, type Task } from './task.ts';
import { timeOf } from './time.ts';

export interface StartParts {
  readonly ledger: Ledger;
  readonly queue: JobQueue;
  readonly tasks: TaskStore;
  readonly prompts: Prompts;
  readonly runner: Runner;
  readonly environments: Environments;
  readonly ids: Ids;
  readonly clock: Clock;
  readonly settings: Settings;
  /** Absolute path of the workspace folder. */
  readonly workspace: string;
  /** A folder given by a caller as an absolute path inside the workspace. Fails with PATH_OUTSIDE. */
  readonly folder: (path: string) => Promise<string>;
  /** Hash of a text, for telling two requests apart. */
  readonly digest: (text: string) => string;
  /** The text with secrets masked; not there where nothing is masked. */
  readonly mask?: ((text: string) => string) | undefined;
}

export interface StartRequest {
  readonly taskId?: string | undefined;
  readonly prompt?: string | undefined;
  readonly type: SessionType;
  readonly agent?: string | undefined;
  readonly priority?: Priority | undefined;
  readonly queue: boolean;
  readonly parentId?: string | undefined;
  readonly label?: string | undefined;
  readonly model?: string | undefined;
  readonly cwd?: string | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly maxCostUsd?: number | undefined;
  readonly requestKey?: string | undefined;
  /** May run beside another session on its task. */
  readonly concurrent?: boolean | undefined;
  /** ISO 8601. */
  readonly notBefore?: string | undefined;
  /** A worktree of its own: on this branch, or on one named after the session. */
  readonly worktree?: string | boolean | undefined;
  /** JSON Schema, as text, of the data the agent is to end with. */
  readonly resultSchema?: string | undefined;
}

/** Who calls, and the values of environment variables that came with the call. */
export interface Caller {
  readonly by: string;
  /** The session that calls, when an agent does with the token of its run. */
  readonly sessionId?: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

export interface Started {
  readonly session: Session;
  /** What the caller should know, such as declared variables that are not set. */
  readonly notes: readonly string[];
}

/** Makes the deed `start`. Calls with the same request key share one session, also while the first is under way. */
export function createStart(parts: StartParts): (request: StartRequest, caller: Caller) => Promise<Started> {
  const underway = new Map<string, Promise<Started>>();

  return async (request, caller) => {
    const { requestKey, ...rest } = request;
    if (requestKey === undefined) return startNew(parts, request, caller, undefined);
    const digest = parts.digest(JSON.stringify(rest));
    const before = underway.get(requestKey);
    if (before) await before.catch(() => undefined);
    const used = parts.ledger.requestKey(requestKey);
    if (used) {
      if (used.digest !== digest)
        fail('REQUEST_KEY_REUSED', `Request key "${requestKey}" already started session ${used.sessionId} with other arguments.`);
      const session =
        parts.ledger.session(used.sessionId) ??
        fail('SESSION_NOT_FOUND', `Session ${used.sessionId} of this request key is gone.`);
      return { session, notes: [] };
    }
    const again = underway.get(requestKey);
    if (again) return again;
    const started = startNew(parts, request, caller, digest).finally(() => underway.delete(requestKey));
    underway.set(requestKey, started);
    return started;
  };
}

async function startNew(parts: StartParts, request: StartRequest, caller: Caller, digest: string | undefined): Promise<Started> {
  const { ledger, queue, settings, ids, environments } = parts;
  checkPrompt(request);
  await settings.refresh();
  const config = settings.current();
  const problems = settings.problems();
  if (problems.length > 0) fail('CONFIG_INVALID', problems.join(' '), { problems });
  const agentName = request.agent ?? config.defaultAgent;
  if (settings.untrustedAgents().includes(agentName)) {
    fail('CONFIG_UNTRUSTED', `The workspace config declares the agent "${agentName}", but that file is not trusted.`);
  }
  const agent = agentNamed(config, agentName) ?? unknownAgent(agentName, config);
  const parentId = caller.sessionId ?? request.parentId;
  const parent =
    parentId === undefined
      ? undefined
      : (ledger.session(parentId) ?? fail('SESSION_NOT_FOUND', `There is no session "${parentId}" to be the parent.`));
  if (parent) checkParent(parts, parent.id, caller, request.taskId);
  checkKind(request);
  const priority = request.priority ?? config.queue.defaultPriority;
  checkPriority(priority, config);
  const notBefore = request.notBefore === undefined ? undefined : timeOf(request.notBefore);
  const by = parent && caller.sessionId ? `session ${parent.id}` : caller.by;
  checkRoom(parts, request, by);
  const cwd = request.cwd === undefined ? parts.workspace : await parts.folder(request.cwd);
  const names = new Set(environmentOf(agent));
  const env = Object.fromEntries(Object.entries(caller.environment).filter(([name]) => names.has(name)));
  const program = await parts.runner.locate(agent, env, request.type);
  if (program === undefined)
    fail(
      'AGENT_MISSING',
      request.type === 'interactive'
        ? `The program "${agent.command ?? agent.kind}" of agent "${agentName}", or tmux, which interactive sessions run in, is not installed or not on PATH.`
        : `The program "${agent.command ?? agent.kind}" of agent "${agentName}" is not installed or not on PATH.`,
    );
  const task = await taskOf(parts, request);

  const sessionId = freeId(ledger, ids, task.id);
  // all that came with the call: its own sessions may be of other agents and need other values
  await environments.keep(sessionId, caller.environment);
  // from here to the record nothing is waited for: what is checked now still holds then
  checkRoom(parts, request, by);
  if (parent) checkParent(parts, parent.id, caller, task.id);
  const line = queue.line();
  const at = Math.max(parts.clock.now(), ledger.newest);
  const orderKey = orderKeyOf(config, priority, at);
  const job = {
    ...jobOf(ledger, {
      id: sessionId,
      type: request.type,
      priority,
      orderKey,
      orderSeq: ledger.seq + 1,
      taskId: task.id,
      concurrent: request.concurrent,
      parentId,
      notBefore,
    }),
  };
  const ahead = placeOf(job, line.waiting);
  const hold = holdOf(job, line);
  if (!request.queue && hold?.kind === 'task') fail('TASK_BUSY', `Session ${hold.sessionId} works on task "${task.id}".`);
  // a machine that is only being measured has room in a moment
  const isHeld = hold !== undefined && (hold.kind !== 'guard' || line.isShort === true);
  if (!request.queue && isHeld) fail('NO_SLOT', `It cannot start now: it ${holdText(hold, ahead)}.`);
  const recorded = ledger.record({
    name: 'session.queued',
    data: {
      sessionId,
      type: request.type,
      taskId: task.id,
      taskTitle: task.title,
      parentId,
      label: request.label,
      agent: agentName,
      model: request.model,
      cwd,
      timeoutMs: request.timeoutSeconds === undefined ? undefined : request.timeoutSeconds * 1000,
      maxCostUsd: request.maxCostUsd,
      priority,
      orderKey,
      taskType: typeof task.fields.type === 'string' ? task.fields.type : undefined,
      concurrent: request.concurrent,
      notBefore,
      resultSchema: request.resultSchema,
      wantsWorktree: request.worktree === false ? undefined : request.worktree,
      prompt: request.prompt ?? parts.prompts.first(task),
      by,
      requestKey: request.requestKey,
      digest,
      position: ahead + 1,
      reason: holdText(hold, ahead),
    },
  });
  const queued = ledger.session(sessionId) ?? fail('INTERNAL', `Session ${sessionId} was not kept.`);
  // added before the fact is on disk: what the queue does with it is recorded behind it, in order
  queue.add(jobOf(ledger, queued));
  await recorded.catch((error: unknown) => {
    queue.remove(sessionId);
    throw error;
  });
  const missing = agent.env.filter((name) => !(name in env));
  const unset =
    missing.length > 0 ? [`Not set where this call came from, so the agent does not get it: ${missing.join(', ')}.`] : [];
  const isMasked = request.prompt !== undefined && parts.mask !== undefined && parts.mask(request.prompt) !== request.prompt;
  const masked = isMasked
    ? ["A secret in the prompt was masked, for the agent too: give it by a variable that the agent's entry names."]
    : [];
  return { session: ledger.session(sessionId) ?? queued, notes: [...settings.notes(), ...unset, ...masked] };
}

/** Fails with DEPTH_EXCEEDED or TASK_BUSY when this session may not start one on the task. */
function checkParent({ ledger, settings }: StartParts, parentId: string, caller: Caller, taskId: string | undefined): void {
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
function checkKind({ type, resultSchema, worktree }: StartRequest): void {
  if (resultSchema !== undefined) {
    if (resultSchema.length > MAX_SCHEMA_LENGTH)
      fail('INVALID_INPUT', `The resultSchema has ${resultSchema.length} characters; at most ${MAX_SCHEMA_LENGTH} are taken.`);
    schemaOf(resultSchema);
    if (type === 'interactive')
      fail('INVALID_INPUT', 'An interactive session ends with no structured result; leave resultSchema out.');
  }
  if (worktree === '') fail('INVALID_INPUT', 'The worktree needs a branch name, or true for one named after the session.');
}

function checkPrompt({ taskId, prompt }: StartRequest): void {
  if (prompt === undefined && taskId === undefined) fail('PROMPT_EMPTY', 'Neither a task nor a prompt was given.');
  if (prompt === undefined) return;
  if (prompt.trim() === '') fail('PROMPT_EMPTY', 'The prompt is empty.');
  const bytes = new TextEncoder().encode(prompt).length;
  if (bytes > MAX_PROMPT_BYTES) fail('PROMPT_TOO_LARGE', `The prompt has ${bytes} bytes; at most ${MAX_PROMPT_BYTES} are taken.`);
}

function checkRoom({ queue, ledger, settings }: StartParts, request: StartRequest, by: string): void {
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

function unknownAgent(name: string, config: Config): never {
  const names = agentNames(config);
  const near = nearest(name, names);
  return fail(
    'AGENT_UNKNOWN',
    `There is no agent "${name}".${near ? ` Did you mean "${near}"?` : ''} Declared are: ${names.join(', ')}.`,
  );
}

/** The task to work on: the one named, or a new one for a prompt that came alone. */
async function taskOf({ tasks, ids }: StartParts, { taskId, prompt = '' }: StartRequest): Promise<Task> {
  if (taskId !== undefined) return (await tasks.get(taskId)) ?? unknownTask(tasks, taskId);
  const title = (prompt.trim().split('\n')[0] ?? '').slice(0, 80);
  return tasks.create({ id: `${slugOf(title, 40)}-${ids.base32(4)}`, title, instruction: prompt });
}

async function unknownTask(tasks: TaskStore, taskId: string): Promise<never> {
  const near = nearest(
    taskId,
    (await tasks.list()).map((task) => task.id),
  );
  return fail('TASK_NOT_FOUND', `There is no task "${taskId}".${near ? ` Did you mean "${near}"?` : ''}`);
}

/** `<task slug>-<4 base32>`, unique in the workspace. */
function freeId(ledger: Ledger, ids: Ids, taskId: string): string {
  for (;;) {
    const id = `${slugOf(taskId)}-${ids.base32(4)}`;
    if (!ledger.session(id)) return id;
  }
}
