// Every tool, in the order in which they are listed.

import { ALIASES } from './aliases.ts';
import type { Tool } from './define.ts';
import { eventList } from './event-list.ts';
import { promptGet } from './prompt-get.ts';
import { promptPreview } from './prompt-preview.ts';
import { promptStats } from './prompt-stats.ts';
import { queueClear } from './queue-clear.ts';
import { queueMove } from './queue-move.ts';
import { queuePause } from './queue-pause.ts';
import { queueResume } from './queue-resume.ts';
import { queueStatus } from './queue-status.ts';
import { requestAnswer } from './request-answer.ts';
import { requestList } from './request-list.ts';
import { ruleDelete } from './rule-delete.ts';
import { ruleList } from './rule-list.ts';
import { ruleSet } from './rule-set.ts';
import { sessionAsk } from './session-ask.ts';
import { sessionAttach } from './session-attach.ts';
import { sessionCancel } from './session-cancel.ts';
import { sessionConfig } from './session-config.ts';
import { sessionGet } from './session-get.ts';
import { sessionList } from './session-list.ts';
import { sessionLogs } from './session-logs.ts';
import { sessionPin } from './session-pin.ts';
import { sessionPrompt } from './session-prompt.ts';
import { sessionRun } from './session-run.ts';
import { sessionShare } from './session-share.ts';
import { sessionStart } from './session-start.ts';
import { sessionWait } from './session-wait.ts';
import { taskList } from './task-list.ts';
import { worktreeList } from './worktree-list.ts';
import { worktreeRemove } from './worktree-remove.ts';

export const TOOLS = [
  sessionStart,
  sessionRun,
  sessionWait,
  sessionGet,
  sessionLogs,
  sessionList,
  sessionPrompt,
  sessionCancel,
  sessionAttach,
  requestAnswer,
  requestList,
  queueStatus,
  taskList,
  promptPreview,
  sessionConfig,
  queueMove,
  queueClear,
  queuePause,
  queueResume,
  eventList,
  ruleList,
  ruleSet,
  ruleDelete,
  worktreeList,
  worktreeRemove,
  sessionPin,
  promptGet,
  promptStats,
  sessionShare,
  sessionAsk,
] as const satisfies readonly Tool[];

/** The tool with this name, old names included, with the arguments that the name fixes. */
export function toolNamed(name: string): { readonly tool: Tool; readonly fixed: Readonly<Record<string, unknown>> } | undefined {
  const alias = ALIASES.find((entry) => entry.name === name);
  const tool = TOOLS.find((entry) => entry.name === (alias?.tool ?? name));
  return tool && { tool, fixed: alias?.fixed ?? {} };
}
