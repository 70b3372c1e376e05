// Starting a session: everything that can be wrong is found before the first fact is recorded, and the same request makes one session.
import { agentNamed, environmentOf, type PermissionMode } from './agent.ts';
import { fail } from './errors.ts';
import type { Worktrees } from './git-ports.ts';
import type { Ledger } from './ledger.ts';
import { type CallKey, createOnce, type OnceParts } from './once.ts';
import type { Clock, Environments, Ids, JobQueue, Prompts, Settings, TaskDraft, TaskStore } from './ports.ts';
import type { Priority } from './priority.ts';
import { jobOf } from './recovery.ts';
import { planStart, type RuleStartParts } from './rule-start.ts';
import type { Runner } from './run-ports.ts';
import { aheadOf, holdOf, holdText, orderKeyOf } from './scheduler.ts';
import type { Session, SessionType } from './session.ts';
import { checkKind, checkParent, checkPriority, checkPrompt, checkRoom, missingProgram, unknownAgent } from './start-checks.ts';
import { startNotes } from './start-notes.ts';
import { namedTask, newTask } from './start-task.ts';
import { slugOf } from './task.ts';
import { timeOf } from './time.ts';

export interface StartParts extends RuleStartParts, OnceParts {
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
  readonly worktrees?: Pick<Worktrees, 'expectPossible'> | undefined;
  /** The text with secrets masked; not there where nothing is masked. */
  readonly mask?: ((text: string) => string) | undefined;
}

export interface StartRequest {
  readonly taskId?: string | undefined;
  readonly prompt?: string | undefined;
  /** Default: that of the template or rule, else autonomous. */
  readonly type?: SessionType | undefined;
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
  /** The rule that speaks, whether its conditions hold or not. */
  readonly rule?: string | undefined;
  /** A session template, whose defaults are taken. */
  readonly template?: string | undefined;
  /** Values for the arguments of the rule. */
  readonly arguments?: Readonly<Record<string, string>> | undefined;
  /** Set by rules alone, see `narrowed.ts`. */
  readonly permissionMode?: PermissionMode | undefined;
  readonly tools?: readonly string[] | undefined;
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
  const once = createOnce(parts);

  return ({ requestKey, ...asked }, caller) =>
    once(requestKey, asked, async (call, used) => {
      if (!used) return startOrTakeBack(parts, asked, caller, call);
      const session =
        parts.ledger.session(used.sessionId) ??
        fail('SESSION_NOT_FOUND', `Session ${used.sessionId} of this request key is gone.`);
      return { session, notes: [] };
    });
}

type StartArguments = [parts: StartParts, asked: StartRequest, caller: Caller, call: CallKey | undefined];

/** What a start makes before the first fact. */
interface Made {
  /** Of its task file. */
  draft?: TaskDraft | undefined;
  /** Session whose environment is kept. */
  environmentOf?: string | undefined;
}

/** Of what is refused after all, neither a task file nor an environment stays. */
async function startOrTakeBack(...[parts, ...more]: StartArguments): Promise<Started> {
  const made: Made = {};
  try {
    return await startNew(made, parts, ...more);
  } catch (error) {
    if (made.environmentOf !== undefined) await parts.environments.forget([made.environmentOf]).catch(() => undefined);
    if (made.draft) await parts.tasks.discard(made.draft).catch(() => undefined);
    throw error;
  }
}

async function startNew(...[made, parts, asked, caller, call]: [made: Made, ...StartArguments]): Promise<Started> {
  const { ledger, queue, settings, ids, environments } = parts;
  checkPrompt(asked);
  await settings.refresh();
  const config = settings.current();
  const problems = settings.problems();
  if (problems.length > 0) fail('CONFIG_INVALID', problems.join(' '), { problems });
  const parentId = caller.sessionId ?? asked.parentId;
  const parent =
    parentId === undefined
      ? undefined
      : (ledger.session(parentId) ?? fail('SESSION_NOT_FOUND', `There is no session "${parentId}" to be the parent.`));
  if (parent) checkParent(parts, parent.id, caller, asked.taskId);
  const named = asked.taskId === undefined ? undefined : await namedTask(parts.tasks, asked.taskId);
  const wantedId = named ? freeId(ledger, ids, named.id) : '';
  const { request, prompt, rule } = await planStart(parts, asked, { task: named, parentId, seed: wantedId });
  const type = request.type ?? 'autonomous';
  const agentName = request.agent ?? config.defaultAgent;
  if (settings.untrustedAgents().includes(agentName)) {
    fail('CONFIG_UNTRUSTED', `The workspace config declares the agent "${agentName}", but that file is not trusted.`);
  }
  const agent = agentNamed(config, agentName) ?? unknownAgent(agentName, config);
  checkKind(request);
  if (request.worktree) await parts.worktrees?.expectPossible(request.worktree === true ? undefined : request.worktree);
  const priority = request.priority ?? config.queue.defaultPriority;
  checkPriority(priority, config);
  const notBefore = request.notBefore === undefined ? undefined : timeOf(request.notBefore);
  const by = parent && caller.sessionId ? `session ${parent.id}` : caller.by;
  checkRoom(parts, request, by);
  const cwd = request.cwd === undefined ? parts.workspace : await parts.folder(request.cwd);
  const names = new Set(environmentOf(agent));
  const env = Object.fromEntries(Object.entries(caller.environment).filter(([name]) => names.has(name)));
  const program = await parts.runner.locate(agent, env, type);
  if (program === undefined) missingProgram(agent, agentName, type);
  const { task, draft } = named ? { task: named } : await newTask(parts, prompt ?? saysNothing(asked), call);
  made.draft = draft;

  const sessionId = named && !ledger.session(wantedId) ? wantedId : freeId(ledger, ids, task.id);
  // all that came with the call: its own sessions may be of other agents and need other values
  await environments.keep(sessionId, caller.environment);
  made.environmentOf = sessionId;
  // from here to the record nothing is waited for: what is checked now still holds then
  checkRoom(parts, request, by);
  if (parent) checkParent(parts, parent.id, caller, task.id);
  const line = queue.line();
  const at = Math.max(parts.clock.now(), ledger.newest);
  const orderKey = orderKeyOf(config, priority, at);
  const job = jobOf(ledger, {
    id: sessionId,
    type,
    priority,
    orderKey,
    orderSeq: ledger.seq + 1,
    taskId: task.id,
    concurrent: request.concurrent,
    parentId,
    notBefore,
  });
  const ahead = aheadOf(job, line);
  const hold = holdOf(job, line);
  if (!request.queue && hold?.kind === 'task') fail('TASK_BUSY', `Session ${hold.sessionId} works on task "${task.id}".`);
  // a machine that is only being measured has room in a moment
  const isHeld = hold !== undefined && (hold.kind !== 'guard' || line.isShort === true);
  if (!request.queue && isHeld) fail('NO_SLOT', `It cannot start now: it ${holdText(hold, ahead)}.`);
  const recorded = ledger.record({
    name: 'session.queued',
    data: {
      sessionId,
      type,
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
      madeTask: named ? undefined : true,
      concurrent: request.concurrent,
      notBefore,
      resultSchema: request.resultSchema,
      wantsWorktree: request.worktree === false ? undefined : request.worktree,
      prompt: prompt ?? parts.prompts.first(task),
      rule,
      permissionMode: request.permissionMode,
      tools: request.tools,
      by,
      ...call,
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
  return {
    session: ledger.session(sessionId) ?? queued,
    notes: [...settings.notes(), ...startNotes(parts, request, agent, env)],
  };
}

/** `<task slug>-<4 base32>`, unique in the workspace. */
function freeId(ledger: Ledger, ids: Ids, taskId: string): string {
  for (;;) {
    const id = `${slugOf(taskId)}-${ids.base32(4)}`;
    if (!ledger.session(id)) return id;
  }
}

function saysNothing({ template }: StartRequest): never {
  return fail('PROMPT_EMPTY', `Template "${template}" says nothing by itself.`);
}
