// Tools of the suite that go on as tasks. Those that work, or ask, are sessions of the product, and the product's own Tasks extension carries them.
// What the product never does with a task (failing by a protocol error, and being made after a first round of questions) is done by hand.
import { randomUUID } from 'node:crypto';
import {
  inputRequired,
  inputResponse,
  MissingRequiredClientCapabilityError,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Orchestrator } from '../../core/orchestrator.ts';
import { callOrTask, declaresTasks, resultOf, TASK_CAPABILITIES } from '../../server/tasks.ts';
import type { ToolContext } from '../../tools/define.ts';
import { sessionRun } from '../../tools/session-run.ts';
import type { FixtureAnswer, FixtureTool } from './everything.ts';

export interface Play {
  readonly orchestrator: Orchestrator;
  /** Tasks of no session: id to how it stands. They end the second time they are looked at. */
  readonly handmade: Map<string, { looks: number; readonly end: FixtureAnswer }>;
}

const Envelope = z.looseObject({ 'io.modelcontextprotocol/clientCapabilities': z.unknown().optional() }).catch({});
const Seconds = z.looseObject({ seconds: z.number().default(0) });
const text = (words: string) => ({ content: [{ type: 'text', text: words }] });
const declares = ({ mcpReq }: ServerContext) =>
  declaresTasks(Envelope.parse(mcpReq.envelope ?? {})['io.modelcontextprotocol/clientCapabilities']);

export function taskTools({ orchestrator, handmade }: Play): readonly FixtureTool[] {
  const contextOf = ({ mcpReq }: ServerContext): ToolContext => ({
    orchestrator,
    caller: { by: 'the suite', environment: {} },
    callKey: undefined,
    signal: mcpReq.signal,
    progress: () => {},
  });
  /** Runs a session that plays this, as `session_run` does; a task at once where the client can follow one. */
  const run = (prompt: string, server: ServerContext) => {
    const context = contextOf(server);
    const args = { prompt, requestKey: randomUUID() };
    const call = async (given: Readonly<Record<string, unknown>>) => resultOf(await sessionRun.call(given, context));
    return declares(server)
      ? callOrTask('session_run', args, context, call, { atOnceSeconds: 0.05 })
      : call({ ...args, timeoutSeconds: 45 });
  };
  const made = (end: FixtureAnswer): FixtureAnswer => {
    const taskId = `made.${randomUUID()}`;
    handmade.set(taskId, { looks: 0, end });
    return { resultType: 'task', content: [], ...handmadeView(taskId, { status: 'working' }) };
  };
  const needsTask = (server: ServerContext) => {
    if (!declares(server))
      throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { extensions: TASK_CAPABILITIES } });
  };
  return [
    {
      name: 'slow_compute',
      inputSchema: secondsSchema,
      call: async (args, server) => run(`sleep ${Seconds.parse(args).seconds}`, server),
    },
    { name: 'confirm_delete', call: async (_args, server) => run('ask 1', server) },
    { name: 'multi_input', call: async (_args, server) => run('ask 2', server) },
    {
      name: 'failing_job',
      async call(_args, server) {
        needsTask(server);
        return made({ status: 'completed', result: { ...text('It failed.'), isError: true } });
      },
    },
    {
      name: 'protocol_error_job',
      async call(_args, server) {
        needsTask(server);
        return made({ status: 'failed', error: { code: -32603, message: 'It broke.' } });
      },
    },
    {
      name: 'test_tool_with_task',
      async call(_args, server) {
        needsTask(server);
        const reply = inputResponse(server.mcpReq.inputResponses, 'user_name');
        if (reply.kind === 'elicit')
          return made({ status: 'completed', result: text(`Hello, ${JSON.stringify(reply.content)}!`) });
        const requestedSchema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } as never;
        return inputRequired({
          inputRequests: { user_name: inputRequired.elicit({ message: 'What is your name?', requestedSchema }) },
        });
      },
    },
  ];
}

const secondsSchema = { type: 'object' as const, properties: { seconds: { type: 'number' }, label: { type: 'string' } } };

/** How a task made by hand is shown. */
export function handmadeView(taskId: string, how: FixtureAnswer): FixtureAnswer {
  const now = new Date().toISOString();
  return { taskId, createdAt: now, lastUpdatedAt: now, ttlMs: 60_000, pollIntervalMs: 100, ...how };
}
