// request_permission: Claude Code asks here before it uses a tool that its mode does not allow. For sessions alone; the program calls it, not the model.
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { defineTool } from './define.ts';

export const requestPermission = defineTool({
  name: 'request_permission',
  title: 'Ask for a permission',
  description: 'Asks whoever started the session whether a tool may be used. Called by the agent program itself.',
  effect: 'changes',
  toolset: 'session',
  input: z.looseObject({
    tool_name: z.string().min(1).max(200).describe('The tool.'),
    input: z.record(z.string(), z.unknown()).default({}).describe('Its arguments.'),
    tool_use_id: z.string().max(200).optional().describe('Id of the use; the same one asks once.'),
  }),
  output: z.looseObject({
    behavior: z.enum(['allow', 'deny']),
    updatedInput: z.record(z.string(), z.unknown()).optional(),
    message: z.string().optional(),
  }),
  fails: ['CANCELLED', 'WORKSPACE_MISSING', 'STORAGE_FAILED', 'STORAGE_FULL'],
  examples: [{ tool_name: 'Bash', input: { command: 'npm test' } }],
  isBare: true,
  async handle({ tool_name, input, tool_use_id }, { orchestrator, caller, callKey, signal }) {
    const sessionId = caller.sessionId ?? fail('INVALID_INPUT', 'Only a session can ask for a permission.');
    const ask = { kind: 'permission', tool: tool_name, input, callId: tool_use_id ?? callKey } as const;
    const { decision, text } = await orchestrator.ask(sessionId, ask, signal);
    return decision === 'allow'
      ? { behavior: 'allow' as const, updatedInput: input }
      : { behavior: 'deny' as const, message: text || 'The permission was denied.' };
  },
  say: ({ behavior }) => behavior,
});
