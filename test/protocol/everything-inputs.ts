// Tools of the suite that need something from the client before they are done, over several rounds.
import { inputRequired, inputResponse, type ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { StateCodec } from '../../server/elicit.ts';
import type { FixtureTool } from './everything.ts';

const text = (words: string) => ({ content: [{ type: 'text', text: words }] });
const form = (message: string, field: string, type = 'string') =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: 'object', properties: { [field]: { type } }, required: [field] } as never,
  });
const question = (words: string, maxTokens: number) =>
  inputRequired.createMessage({ messages: [{ role: 'user', content: { type: 'text', text: words } }], maxTokens });

const Envelope = z.looseObject({ 'io.modelcontextprotocol/clientCapabilities': z.looseObject({}).optional() }).catch({});
const State = z.object({ call: z.string() });
/** How far a call has come, as the product's own state says it: signed, and bound to its caller. */
const stepOf = ({ mcpReq }: ServerContext) => Number(State.optional().parse(mcpReq.requestState<unknown>())?.call);
/** What was filled in under this key. */
function filledIn({ mcpReq }: ServerContext, key: string, schema: z.ZodObject): Record<string, unknown> | undefined {
  const reply = inputResponse(mcpReq.inputResponses, key);
  return reply.kind === 'elicit' && reply.action === 'accept' ? schema.safeParse(reply.content).data : undefined;
}
const named = z.object({ name: z.string() });

export function inputTools(codec: StateCodec): readonly FixtureTool[] {
  const stated = (step: number, context: ServerContext) => codec.mint({ call: String(step), sessionIds: [] }, context);
  return [
    {
      name: 'test_input_required_result_elicitation',
      async call(_args, context) {
        const filled = filledIn(context, 'user_name', named);
        if (filled) return text(`Hello, ${filled.name}!`);
        return inputRequired({ inputRequests: { user_name: form('What is your name?', 'name') } });
      },
    },
    {
      name: 'test_streaming_elicitation',
      async call(_args, context) {
        const filled = filledIn(context, 'user_name', named);
        return filled ? text('Done.') : inputRequired({ inputRequests: { user_name: form('What is your name?', 'name') } });
      },
    },
    {
      name: 'test_input_required_result_sampling',
      async call(_args, { mcpReq }) {
        const reply = inputResponse(mcpReq.inputResponses, 'capital_question');
        if (reply.kind === 'sampling') return text(`The answer is: ${JSON.stringify(reply.result.content)}`);
        return inputRequired({ inputRequests: { capital_question: question('What is the capital of France?', 100) } });
      },
    },
    {
      name: 'test_input_required_result_list_roots',
      async call(_args, { mcpReq }) {
        const reply = inputResponse(mcpReq.inputResponses, 'client_roots');
        if (reply.kind === 'roots') return text(`Roots: ${JSON.stringify(reply.roots)}`);
        return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
      },
    },
    {
      name: 'test_input_required_result_request_state',
      async call(_args, context) {
        if (stepOf(context) === 1 && filledIn(context, 'confirm', z.object({ ok: z.boolean() }))) return text('state-ok');
        return inputRequired({
          inputRequests: { confirm: form('Please confirm', 'ok', 'boolean') },
          requestState: await stated(1, context),
        });
      },
    },
    {
      name: 'test_input_required_result_tampered_state',
      async call(_args, context) {
        if (stepOf(context) === 1) return text('state-ok');
        return inputRequired({
          inputRequests: { confirm: form('Please confirm', 'ok', 'boolean') },
          requestState: await stated(1, context),
        });
      },
    },
    {
      name: 'test_input_required_result_multiple_inputs',
      async call(_args, context) {
        const { inputResponses } = context.mcpReq;
        const hasAll = ['user_name', 'greeting', 'client_roots'].every(
          (key) => inputResponse(inputResponses, key).kind !== 'missing',
        );
        if (hasAll && stepOf(context) === 1) return text('All were given.');
        return inputRequired({
          inputRequests: {
            user_name: form('What is your name?', 'name'),
            greeting: question('Generate a greeting', 50),
            client_roots: inputRequired.listRoots(),
          },
          requestState: await stated(1, context),
        });
      },
    },
    {
      name: 'test_input_required_result_multi_round',
      async call(_args, context) {
        const step = stepOf(context);
        if (step === 2 && filledIn(context, 'step2', z.object({ color: z.string() }))) return text('Both steps are done.');
        if (step === 1 && filledIn(context, 'step1', named))
          return inputRequired({
            inputRequests: { step2: form('Step 2: What is your favorite color?', 'color') },
            requestState: await stated(2, context),
          });
        return inputRequired({
          inputRequests: { step1: form('Step 1: What is your name?', 'name') },
          requestState: await stated(1, context),
        });
      },
    },
    {
      name: 'test_input_required_result_capabilities',
      async call(_args, { mcpReq }) {
        if (mcpReq.inputResponses !== undefined) return text('Thanks.');
        const can = Envelope.parse(mcpReq.envelope ?? {})['io.modelcontextprotocol/clientCapabilities'] ?? {};
        const inputRequests = {
          ...('elicitation' in can && { user_name: form('What is your name?', 'name') }),
          ...('sampling' in can && { greeting: question('Generate a greeting', 50) }),
          ...('roots' in can && { client_roots: inputRequired.listRoots() }),
        };
        return Object.keys(inputRequests).length > 0 ? inputRequired({ inputRequests }) : text('This client can do nothing.');
      },
    },
  ];
}

/** A prompt that asks before it is given. */
export const questionPrompt = {
  name: 'test_input_required_result_prompt',
  get(context: ServerContext) {
    const filled = filledIn(context, 'user_context', z.object({ context: z.string() }));
    if (filled) return { messages: [{ role: 'user', content: { type: 'text', text: `In the context of ${filled.context}.` } }] };
    return inputRequired({ inputRequests: { user_context: form('What context should the prompt use?', 'context') } });
  },
};
