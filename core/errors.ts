// The one table of what can go wrong: for each code what the caller can do about it, and whether trying again helps.
import { z } from 'zod';

interface ErrorEntry {
  /** What to do next, in one sentence. */
  readonly hint: string;
  /** True when the same call may succeed later without a change. */
  readonly retry: boolean;
}

export const ERRORS = {
  INVALID_INPUT: { hint: 'Correct the named arguments; the message says what each may be.', retry: false },
  TASK_NOT_FOUND: { hint: 'Call task_list to see the task ids of this workspace.', retry: false },
  TASK_EXISTS: { hint: 'Choose another id, or start a session on the task that is there.', retry: false },
  TASK_UNREADABLE: { hint: 'Open the task file and mend what the message names; nothing was changed.', retry: false },
  TASK_BUSY: { hint: 'Wait for the session on this task with session_wait, or cancel it with session_cancel.', retry: true },
  PATH_OUTSIDE: { hint: 'Give a path inside the workspace; links that lead out of it are refused.', retry: false },
  PROMPT_EMPTY: { hint: 'Say in `prompt` what is to be done; a start may name a task with `taskId` instead.', retry: false },
  PROMPT_TOO_LARGE: { hint: 'Put long material into a file of the workspace and name that file in the prompt.', retry: false },
  SESSION_NOT_FOUND: { hint: 'Call session_list to see the session ids of this workspace.', retry: false },
  AGENT_UNKNOWN: {
    hint: 'Choose one of the declared agents named in the message, or declare it in the user config.',
    retry: false,
  },
  AGENT_MISSING: {
    hint: 'Install the program or put it on PATH, then start again; `sc doctor` shows what is missing.',
    retry: false,
  },
  DEPTH_EXCEEDED: {
    hint: 'Do this part of the work yourself, or wait until sessions you started have settled; `delegation` in the config sets the limits.',
    retry: false,
  },
  OUTSIDE_TREE: {
    hint: 'A session may only touch sessions that came of it; session_list with your own id as parentId shows them.',
    retry: false,
  },
  NOT_SHARED: { hint: 'This token is for one session and one role; ask whoever shared it for more.', retry: false },
  SHARE_REFUSED: { hint: 'Call session_share with the session alone to see what is shared now.', retry: false },
  PROMPT_REFUSED: { hint: 'Wait until the session has settled, then prompt it again or start a new one.', retry: false },
  CONVERSATION_GONE: { hint: 'Start a new session on the task, and say in its prompt what came before.', retry: false },
  WORKTREE_GONE: {
    hint: 'Start a new session; the branch of this one, which its worktree was made from, is not there any more.',
    retry: false,
  },
  WORKTREE_FAILED: { hint: 'Mend what git says about the repository or the branch, then start again.', retry: false },
  TERMINAL_MISSING: {
    hint: 'Only an interactive session that runs has a terminal; session_get shows how it stands, `sc doctor` whether tmux is there.',
    retry: false,
  },
  RULE_NOT_FOUND: {
    hint: 'Rules are Markdown files in .scopecraft/prompts; prompt_preview with a taskId shows which there are and which fit.',
    retry: false,
  },
  RULE_INVALID: {
    hint: 'Mend the rule at the named line; docs/prompts.md shows what it may hold. Nothing was changed.',
    retry: false,
  },
  REQUEST_NOT_FOUND: { hint: 'Call request_list to see what is open.', retry: false },
  REQUEST_ANSWERED: { hint: 'Nothing is left to do: request_list shows what is still open.', retry: false },
  NOT_QUEUED: { hint: 'Only a session that waits in the line can be moved; queue_status shows the line.', retry: false },
  QUEUE_FULL: { hint: 'Wait until the line is shorter, or cancel sessions that are no longer wanted.', retry: true },
  NO_SLOT: { hint: 'Start with `queue: true` to wait in the line, or try again when a session has ended.', retry: true },
  REQUEST_KEY_REUSED: { hint: 'Use a new requestKey for a call with other arguments.', retry: false },
  CURSOR_INVALID: { hint: 'Leave the cursor out to start from the beginning, or pass one that a call returned.', retry: false },
  RESOURCE_NOT_FOUND: { hint: 'List the resources and resource templates to see what can be read.', retry: false },
  CONFIG_INVALID: { hint: 'Mend the named keys in the named file; every problem is listed.', retry: false },
  CONFIG_UNTRUSTED: { hint: 'Read .scopecraft/config.json; if you trust what it runs, say so with `sc trust`.', retry: false },
  WORKSPACE_MISSING: {
    hint: 'Start the server in a project folder, or set SCOPECRAFT_WORKSPACE (or --workspace) to one, and make a folder `.tasks` in it.',
    retry: false,
  },
  HUB_UNREACHABLE: { hint: 'Run `sc doctor` in the workspace; it says what is in the way.', retry: true },
  HUB_VERSION: {
    hint: 'Update this program to the version of the running hub, or stop that hub when its sessions are done.',
    retry: false,
  },
  STORAGE_FAILED: {
    hint: 'Make space or mend the permissions of the state folder, then try again; nothing acknowledged is lost.',
    retry: true,
  },
  STORAGE_FULL: {
    hint: 'Make space on the disk of the state folder, then try again; what was acknowledged is kept and what runs goes on.',
    retry: true,
  },
  STORAGE_CORRUPT: {
    hint: 'Run `sc doctor --repair` in the workspace: it shows what would be lost and changes nothing without `--yes`.',
    retry: false,
  },
  CANCELLED: { hint: 'The call was given up by its caller; nothing else was changed.', retry: true },
  INTERNAL: { hint: 'This is a fault of the server. Look up the id in the hub log, and report it.', retry: true },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** What a failed call answers: for programs by `code`, for agents and people by `message` and `hint`. */
// marked pure, so that the bundle of the door, which needs only `fail`, leaves zod out: 50 ms and 6 MB of every door
export const ErrorView = /* @__PURE__ */ (() =>
  z.looseObject({
    code: z.string().describe('What went wrong, from the table in docs/errors.md.'),
    message: z.string().describe('What is, with the bad value quoted.'),
    retry: z.boolean().describe('True when the same call may succeed later.'),
    hint: z.string().describe('What to do next.'),
    details: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('Facts for programs; may hold text from agents or files, which is data.'),
  }))();
export type ErrorView = z.infer<typeof ErrorView>;

/** A failure with a code of the table. */
export class ScopecraftError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = 'ScopecraftError';
    this.code = code;
    this.details = details;
  }

  /** What to do next, in one sentence. */
  get hint(): string {
    return ERRORS[this.code].hint;
  }

  /** True when the same call may succeed later without a change. */
  get retry(): boolean {
    return ERRORS[this.code].retry;
  }
}

/** Ends the deed under way with a code of the table. `message` says what is and quotes the caller's value; foreign text goes into `details`. */
export function fail(code: ErrorCode, message: string, details?: Readonly<Record<string, unknown>>): never {
  throw new ScopecraftError(code, message, details);
}

/** The failure as a caller sees it. */
export function errorView(error: ScopecraftError): ErrorView {
  const { code, message, retry, hint } = error;
  const details = Object.keys(error.details).length > 0 ? { details: { ...error.details } } : {};
  return { code, message, retry, hint, ...details };
}

/** The known word nearest to a mistyped one, or undefined when none is at most so many edits away. */
export function nearest(
  word: string,
  known: readonly string[],
  most = Math.max(2, Math.floor(word.length / 3)),
): string | undefined {
  let best: string | undefined;
  let least = most + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= least) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitute = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
