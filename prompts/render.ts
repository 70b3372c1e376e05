// What an agent is told: the text of a task, and what it should know about its session.
import { causeText } from '../core/history.ts';
import type { Prompts } from '../core/ports.ts';

/** The texts a session is given when no rule supplies others. */
export const prompts: Prompts = {
  first: ({ id, title, body }) => `Work on this task until it is done.\n\n# ${title}\n\nTask id: ${id}\n\n${body.trim()}\n`,
  again: ({ cause }) =>
    `${cause && cause.kind !== 'done' ? `You were interrupted (${causeText({ ...cause, reason: undefined })}).` : 'This session goes on.'} Look at what is done already and go on from there until the task is done.`,
  briefing: (session, taskFile) =>
    [
      `You work as session ${session.id} on task ${session.taskId}.`,
      taskFile === undefined
        ? undefined
        : `The task file is ${taskFile}. Keep its status and its "## Log" section true; leave "sessions:" and "## Session History" alone.`,
      session.type === 'autonomous'
        ? 'Nobody watches your terminal. When a decision is needed that you cannot take yourself, ask with the tool session_ask of scopecraft; without an answer, decide as you think best.'
        : undefined,
      'End with a short report of what you did and what is left.',
    ]
      .filter(Boolean)
      .join(' '),
};
