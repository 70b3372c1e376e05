// What sessions ask, shown as a form by real clients of every kind: the reply reaches the session, and the call goes on waiting by itself.
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as FirstClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as FirstTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CLIENT_KINDS, type ClientKind } from '../support/clients.ts';
import { DOOR } from '../support/project.ts';
import { openRawDoor } from '../support/raw-door.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const INFO = { name: 'a person', version: '1' };
const CAPABILITIES = { capabilities: { elicitation: { form: {} } } };
const task = (...lines: string[]) =>
  `# A task\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n${lines.join('\n')}\n`;
const TASKS = {
  'asks.task.md': task('@@question Which one?', '@@permission Bash {"command":"echo ran"}', '@@say {{last}}'),
  'open.task.md': task('@@question Which one?', '@@say {{last.answer}}'),
};
const Answer = z.object({ structuredContent: z.looseObject({}) });
type Reply = { action: 'accept'; content: Record<string, string> } | { action: 'decline' | 'cancel' };
interface Person {
  readonly seen: string[];
  call(name: string, args: Record<string, unknown>): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

let workspace: Workspace | undefined;
const people: Person[] = [];
afterEach(async () => {
  for (const person of people.splice(0)) await person.close();
  await workspace?.close();
  workspace = undefined;
});

async function person(kind: ClientKind, reply: (message: string) => Reply): Promise<Person> {
  workspace ??= await makeWorkspace({ tasks: TASKS, userConfig: { defaultAgent: 'demo' } });
  const seen: string[] = [];
  const replied = (message: string) => {
    seen.push(message);
    return reply(message);
  };
  const pipes = { command: process.execPath, args: [DOOR], env: { ...workspace.env }, cwd: workspace.path };
  const client = kind === 'v1' ? new FirstClient(INFO, CAPABILITIES) : undefined;
  if (client) {
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => replied(params.message));
    await client.connect(new FirstTransport(pipes));
  }
  const second = new Client(INFO, {
    ...CAPABILITIES,
    versionNegotiation: { mode: kind === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
  });
  if (!client) {
    second.setRequestHandler('elicitation/create', ({ params }) => replied(params.message));
    await second.connect(new StdioClientTransport(pipes));
  }
  const made: Person = {
    seen,
    call: async (name, given) => {
      const request = { name, arguments: given };
      const options = { timeout: 60_000 };
      const answer = client ? await client.callTool(request, undefined, options) : await second.callTool(request, options);
      return Answer.parse(answer).structuredContent;
    },
    close: () => (client ?? second).close(),
  };
  people.push(made);
  return made;
}

describe.each(CLIENT_KINDS)('a person at a %s client', (kind) => {
  it('answers one form after the other, and the call ends with the result of the one session it started', async () => {
    const { seen, call } = await person(kind, (message) =>
      message.includes('Which one?')
        ? { action: 'accept', content: { answer: 'the second' } }
        : { action: 'accept', content: { decision: 'allow' } },
    );
    const receipt = await call('session_run', { taskId: 'asks' });
    expect(receipt).toMatchObject({ status: 'completed', result: 'ran', timedOut: false });
    expect(receipt.answered).toMatchObject([
      { decision: 'answer', answer: 'the second', answeredBy: 'a person 1' },
      { decision: 'allow', answeredBy: 'a person 1' },
    ]);
    expect(seen).toEqual([expect.stringContaining('Which one?'), expect.stringMatching(/asks to use Bash: .*echo ran/)]);
    expect(await call('session_list', {})).toMatchObject({ total: 1 });
  });

  it('puts a form aside: it is not shown again, and the model is told what is asked', async () => {
    const { seen, call } = await person(kind, () => ({ action: 'cancel' }));
    const started = await call('session_start', { taskId: 'open' });
    const asked = z
      .looseObject({ sessions: z.tuple([z.looseObject({ requests: z.tuple([z.looseObject({ requestId: z.string() })]) })]) })
      .parse(await call('session_wait', { sessionIds: [started.id] }));
    expect(seen).toHaveLength(1);
    const [{ requestId }] = asked.sessions[0].requests;
    // shown once more by this other wait, and not waited for again
    const began = performance.now();
    expect(await call('session_wait', { sessionIds: [started.id], until: 'all', timeoutSeconds: 4 })).toMatchObject({
      timedOut: false,
      sessions: [{ requests: [{ requestId }] }],
    });
    expect(performance.now() - began).toBeLessThan(7_500);
    expect(seen).toHaveLength(2);
    await call('request_answer', { requestId, decision: 'answer', text: 'mine' });
    expect(await call('session_wait', { sessionIds: [started.id] })).toMatchObject({ sessions: [{ result: 'mine' }] });
    expect(seen).toHaveLength(2);
  });
});

describe('what comes back with a reply', () => {
  it('is refused when it was forged, and when it belongs to another call', async () => {
    workspace = await makeWorkspace({ tasks: TASKS, userConfig: { defaultAgent: 'demo' } });
    const door = await openRawDoor('2026-07-28', { env: workspace.env, cwd: workspace.path, capabilities: { elicitation: {} } });
    try {
      const run = { name: 'session_run', arguments: { taskId: 'open', label: 'one' } };
      const round = z
        .looseObject({ resultType: z.literal('input_required'), requestState: z.string(), inputRequests: z.looseObject({}) })
        .parse(await door.ask('tools/call', run));
      const [key = ''] = Object.keys(round.inputRequests);
      const inputResponses = { [key]: { action: 'accept', content: { answer: 'x' } } };
      const { requestState } = round;
      const forged = requestState.slice(0, -2) + (requestState.endsWith('AA') ? 'BB' : 'AA');
      for (const state of [forged, 'v1.e30.AAAA', ''])
        await expect(door.ask('tools/call', { ...run, inputResponses, requestState: state }), state).rejects.toThrow('-32602');
      const other = { ...run, arguments: { taskId: 'open', label: 'two' } };
      await expect(door.ask('tools/call', { ...other, inputResponses, requestState })).rejects.toThrow('-32602');
      const last = await door.ask('tools/call', { ...run, inputResponses, requestState });
      expect(last.structuredContent).toMatchObject({ status: 'completed', result: 'x' });
    } finally {
      await door.close();
    }
  });
});
