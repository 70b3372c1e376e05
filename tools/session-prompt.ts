// session_prompt: says something to a session, whatever its state, and answers with the receipt.
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { PROMPT_MODES } from '../core/talk.ts';
import { PromptView, promptView } from '../core/talk-views.ts';
import { SessionView } from '../core/views.ts';
import { withShare } from './bounded.ts';
import { defineTool } from './define.ts';
import { next, requestKey, ruleArguments, ruleName, sessionId, summary, valuesOf } from './fields.ts';
import { telling } from './waiting.ts';

export const sessionPrompt = defineTool({
  name: 'session_prompt',
  title: 'Say something to a session',
  description:
    'Steer a running session, answer an interactive one at its prompt, or continue a settled one with feedback in the same conversation. ' +
    "Returns a receipt: delivered means the agent's own record shows the prompt; pending that it will come to it. Then session_wait.",
  effect: 'creates',
  toolset: 'core',
  input: z.strictObject({
    sessionId,
    prompt: z.string().optional().describe('What the agent is told, word for word; or give `rule`.'),
    rule: ruleName.optional().describe('Prompt rule whose text is said instead, such as one that session_get suggests.'),
    arguments: ruleArguments,
    mode: z
      .enum(PROMPT_MODES)
      .default('queue')
      .describe('queue: taken up when the agent comes to it. interrupt: what it does now is broken off first.'),
    timeoutSeconds: z.number().min(0).max(45).default(5).describe('Longest time to wait for the receipt.'),
    requestKey,
  }),
  output: z.looseObject({ summary, receipt: PromptView, session: SessionView, next }),
  positional: ['sessionId', 'prompt'],
  fails: [
    'SESSION_NOT_FOUND',
    'OUTSIDE_TREE',
    'NOT_SHARED',
    'TASK_UNREADABLE',
    'PATH_OUTSIDE',
    'RULE_NOT_FOUND',
    'RULE_INVALID',
    'PROMPT_EMPTY',
    'PROMPT_TOO_LARGE',
    'PROMPT_REFUSED',
    'CONVERSATION_GONE',
    'AGENT_UNKNOWN',
    'REQUEST_KEY_REUSED',
    'WORKSPACE_MISSING',
    'STORAGE_FAILED',
    'STORAGE_FULL',
  ],
  examples: [{ sessionId: '{{session}}', prompt: '@@say Also this.', timeoutSeconds: 0 }],
  async handle({ sessionId, prompt: said, rule, arguments: given, mode, timeoutSeconds, requestKey }, context) {
    const { orchestrator, caller, callKey, signal } = context;
    if ((said === undefined) === (rule === undefined)) fail('INVALID_INPUT', 'Give either "prompt" or "rule".');
    orchestrator.get(sessionId);
    const args = valuesOf(given);
    const prompt = said ?? (await orchestrator.rules.render({ ruleId: rule ?? '', sessionId, args })).text;
    const request = { sessionId, prompt, mode, requestKey: requestKey ?? callKey, timeoutMs: timeoutSeconds * 1000, signal };
    const receipt = promptView(await telling(context, [sessionId], () => orchestrator.prompt(request, caller.by)));
    const { next, prompts: _prompts, ...view } = orchestrator.detailed(orchestrator.get(sessionId));
    return { receipt, session: withShare(view, 1), next };
  },
  say: ({ receipt, session }) =>
    receipt.state === 'failed'
      ? `The prompt was not delivered: ${receipt.reason ?? 'the agent did not take it'}.`
      : `The prompt is ${receipt.state}. ${session.summary}`,
});
