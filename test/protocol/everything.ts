// Adds to a server of the product what the conformance suite expects of its "everything server": tools, resources, prompts, completions and logging.
// What the product has stays: its own handlers answer whatever is not of the suite.
import { ProtocolError, type Server, type ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { StateCodec } from '../../server/elicit.ts';
import { inputTools, questionPrompt } from './everything-inputs.ts';
import { PROMPTS, promptOf, RESOURCES, resourceOf, TEMPLATES } from './everything-reads.ts';
import { handmadeView, type Play, taskTools } from './everything-tasks.ts';
import { plainTools } from './everything-tools.ts';

/** A tool of the suite. */
export interface FixtureTool {
  readonly name: string;
  readonly inputSchema?: { readonly type: 'object'; readonly properties?: Readonly<Record<string, unknown>> };
  readonly call: (args: Readonly<Record<string, unknown>>, context: ServerContext) => Promise<FixtureAnswer>;
}
export type FixtureAnswer = Readonly<Record<string, unknown>>;

/** What tools do to the lists that others listen to. */
export interface Everything extends Play {
  readonly era: 'modern' | 'legacy';
  /** Signs the state of calls that ask. */
  readonly codec: StateCodec;
  readonly changed: (list: 'tools' | 'prompts') => void;
}

const INVALID_PARAMS = -32602;
const Handler = z.custom<(request: object, context: ServerContext) => Promise<FixtureAnswer>>(
  (value) => typeof value === 'function',
);
const Handlers = z.instanceof(Map);
const Tools = z.looseObject({ tools: z.array(z.looseObject({})) });
const Resources = z.looseObject({ resources: z.array(z.looseObject({})) });
const Templates = z.looseObject({ resourceTemplates: z.array(z.looseObject({})) });

/** The server, with what the suite expects added. */
export function withEverything(server: Server, everything: Everything): Server {
  const tools: readonly FixtureTool[] = [...plainTools(everything), ...inputTools(everything.codec), ...taskTools(everything)];
  server.registerCapabilities({ tools: { listChanged: true }, prompts: { listChanged: true }, completions: {}, logging: {} });
  /** The handler that the product has. */
  const before = (method: string) => Handler.parse(Handlers.parse(Reflect.get(server, '_requestHandlers')).get(method));
  const answers = (answer: FixtureAnswer) => ({ ...z.looseObject({}).parse(answer), content: [], ...answer }) as never;

  const [listTools, callTool] = [before('tools/list'), before('tools/call')];
  server.setRequestHandler('tools/list', async (request, context) => {
    const own = tools.map(({ name, inputSchema = { type: 'object', properties: {} } }) => ({
      name,
      description: `The tool ${name} of the suite.`,
      inputSchema,
    }));
    return { tools: [...own, ...Tools.parse(await listTools(request, context)).tools] } as never;
  });
  server.setRequestHandler('tools/call', async (request, context) => {
    const tool = tools.find(({ name }) => name === request.params.name);
    return answers(await (tool ? tool.call(request.params.arguments ?? {}, context) : callTool(request, context)));
  });

  const [listResources, listTemplates, read, subscribe] = [
    before('resources/list'),
    before('resources/templates/list'),
    before('resources/read'),
    before('resources/subscribe'),
  ];
  server.setRequestHandler('resources/list', async (request, context) => {
    const list = Resources.parse(await listResources(request, context));
    return { ...list, resources: [...RESOURCES, ...list.resources] } as never;
  });
  server.setRequestHandler('resources/templates/list', async (request, context) => {
    const list = Templates.parse(await listTemplates(request, context));
    return { ...list, resourceTemplates: [...TEMPLATES, ...list.resourceTemplates] } as never;
  });
  server.setRequestHandler('resources/read', async (request, context) => {
    const contents = resourceOf(request.params.uri);
    return (contents ? { contents: [contents] } : await read(request, context)) as never;
  });
  server.setRequestHandler('resources/subscribe', async (request, context) =>
    request.params.uri.startsWith('test://') ? {} : subscribe(request, context),
  );

  if (everything.era === 'modern') serveHandmade(server, everything.handmade, before);

  server.setRequestHandler('prompts/list', () => ({ prompts: [...PROMPTS] }));
  server.setRequestHandler('prompts/get', async ({ params: { name, arguments: args = {} } }, context) => {
    const prompt = name === questionPrompt.name ? questionPrompt.get(context) : promptOf(name, args);
    if (!prompt) throw new ProtocolError(INVALID_PARAMS, `There is no prompt "${name}".`);
    return prompt as never;
  });
  server.setRequestHandler('completion/complete', () => ({ completion: { values: [], total: 0, hasMore: false } }));
  return server;
}

/** The suite fills every form in with the same words; here they mean yes. */
const Replies = z.looseObject({ inputResponses: z.record(z.string(), z.looseObject({})).default({}) });
const YES = { action: 'accept', content: { decision: 'allow' } };

/** Tasks that are no sessions; the product answers for the others. */
function serveHandmade(
  server: Server,
  handmade: Everything['handmade'],
  before: (method: string) => z.infer<typeof Handler>,
): void {
  const update = before('tasks/update');
  server.setRequestHandler('tasks/update', { params: z.looseObject({}) }, (params, context) => {
    const { inputResponses } = Replies.parse({ inputResponses: context.mcpReq.inputResponses });
    const replies = Object.fromEntries(Object.keys(inputResponses).map((key) => [key, YES]));
    const mcpReq = { ...context.mcpReq, inputResponses: replies };
    return update({ jsonrpc: '2.0', id: 0, method: 'tasks/update', params }, { ...context, mcpReq });
  });
  for (const method of ['tasks/get', 'tasks/cancel'] as const) {
    const product = before(method);
    server.setRequestHandler(method, { params: z.looseObject({ taskId: z.string() }) }, async (params, context) => {
      const task = handmade.get(params.taskId);
      if (!task) return product({ jsonrpc: '2.0', id: 0, method, params }, context);
      if (method === 'tasks/cancel') return {};
      task.looks += 1;
      return handmadeView(params.taskId, task.looks > 1 ? task.end : { status: 'working' });
    });
  }
}
