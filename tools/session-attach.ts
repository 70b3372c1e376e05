// session_attach: where a person meets an interactive session.
import { z } from 'zod';
import { defineTool } from './define.ts';
import { sessionId, summary } from './fields.ts';

export const sessionAttach = defineTool({
  name: 'session_attach',
  title: 'Attach to an interactive session',
  description:
    'The exact command with which a person attaches a terminal to a running interactive session. Give it to the person; agents use session_prompt and session_logs instead.',
  effect: 'changes',
  toolset: 'core',
  input: z.strictObject({
    sessionId,
    detach: z.boolean().default(false).describe('true: everybody who is attached is detached; the session goes on.'),
  }),
  output: z.looseObject({
    summary,
    command: z.string().describe('To be typed into a terminal.'),
    words: z.array(z.string()).describe('The same as words.'),
    socket: z.string().describe('Path of the tmux server.'),
    session: z.string().describe('Name of the tmux session.'),
    pane: z.string().describe('Id of the pane, such as %3.'),
    attached: z.number().int().describe('Terminals that are attached.'),
    detached: z.number().int().optional().describe('Terminals that were detached now.'),
  }),
  positional: ['sessionId'],
  fails: ['SESSION_NOT_FOUND', 'TERMINAL_MISSING', 'WORKSPACE_MISSING'],
  examples: [{ sessionId: '{{interactive}}' }],
  async handle({ sessionId, detach }, { orchestrator }) {
    const detached = detach ? await orchestrator.detach(sessionId) : undefined;
    const { command, ...terminal } = await orchestrator.terminal(sessionId);
    return {
      command: command.map(quoted).join(' '),
      words: [...command],
      ...terminal,
      ...(detached !== undefined && { detached }),
    };
  },
  say: ({ command, attached, detached }) =>
    detached === undefined
      ? `Attach with \`${command}\`; ${attached === 1 ? '1 terminal is' : `${attached} terminals are`} attached now.`
      : `Detached ${detached} terminal${detached === 1 ? '' : 's'}.`,
});

/** The word as a shell reads it back. */
function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
