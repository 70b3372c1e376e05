// What a client brings back with the reply to a form, on every door: good for the caller, the call and the sessions it was made for, unchanged, and
// for ten minutes.

import path from 'node:path';
import { createRequestStateCodec } from '@modelcontextprotocol/server';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { openKey } from '../../server/token.ts';
import { connect, type TestClient } from '../support/clients.ts';
import { askHttp, modernRequest, type RpcAnswer } from '../support/http-clients.ts';
import { openRawDoor } from '../support/raw-door.ts';
import { openRawSocket } from '../support/raw-socket.ts';
import { type Serving, serve } from '../support/serving.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const FORMS = { elicitation: {} };
const TASK =
  '# A task\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n@@question Which one?\n@@say {{last.answer}}\n';
const Round = z.looseObject({
  resultType: z.literal('input_required'),
  requestState: z.string(),
  inputRequests: z.record(z.string(), z.unknown()),
});
const Signed = z.object({ p: z.object({ call: z.string(), sessionIds: z.array(z.string()) }), exp: z.number(), b: z.string() });

interface Door {
  /** As whom the caller is known. */
  readonly caller: string;
  call(params: Readonly<Record<string, unknown>>): Promise<RpcAnswer>;
  close(): Promise<void>;
}

let workspace: Workspace;
let client: TestClient;
let serving: Serving;
let key: Uint8Array;
const closing: Door[] = [];

beforeAll(async () => {
  workspace = await makeWorkspace({ tasks: { 'open.task.md': TASK }, userConfig: { defaultAgent: 'demo' } });
  client = await connect('modern', { env: workspace.env, cwd: workspace.path });
  serving = await serve({ env: workspace.env, cwd: workspace.path });
  key = await openKey(path.join(workspace.path, '.scopecraft', 'state'), 'request state');
});
afterEach(async () => {
  vi.useRealTimers();
  for (const door of closing.splice(0)) await door.close();
});
afterAll(async () => {
  await client.close();
  await serving.interrupt();
  await workspace.close();
});

const DOORS: Readonly<Record<string, () => Promise<Door>>> = {
  async stdio() {
    const door = await openRawDoor('2026-07-28', { env: workspace.env, cwd: workspace.path, capabilities: FORMS });
    const call = (params: Readonly<Record<string, unknown>>) =>
      door.ask('tools/call', params).then(
        (result) => ({ result }),
        (error: unknown) => ({ error: JSON.parse(error instanceof Error ? error.message : 'null') }),
      );
    return { caller: 'door', call, close: door.close };
  },
  async socket() {
    const raw = await openRawSocket(workspace);
    let ids = 0;
    return {
      caller: 'door',
      async call(params) {
        const id = `call-${++ids}`;
        raw.send(modernRequest('tools/call', params, id, FORMS).body ?? '');
        const answer = () => raw.lines.find((line) => line.includes(`"id":"${id}"`));
        await expect.poll(answer, { timeout: 30_000 }).toBeDefined();
        return JSON.parse(answer() ?? '');
      },
      close: async () => void raw.socket.destroy(),
    };
  },
  async HTTP() {
    const access = await serving.access('operate');
    return { caller: 'client operate', call: (params) => askHttp(access, 'tools/call', params, FORMS), close: async () => {} };
  },
};

/** What a hub would have signed for this caller at that time. */
async function signed(payload: z.infer<typeof Signed>['p'], caller: string, secondsAgo = 0): Promise<string> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - secondsAgo * 1000 });
  const codec = createRequestStateCodec<typeof payload>({ key, ttlSeconds: 600, bind: () => `tools/call ${caller}` });
  const state = await codec.mint(payload, {} as never);
  vi.useRealTimers();
  return state;
}

const payloadOf = (state: string) => Signed.parse(JSON.parse(Buffer.from(state.split('.')[1] ?? '', 'base64url').toString()));

describe.each(Object.keys(DOORS))('over %s', (name) => {
  it('it is refused when it was forged, is of another caller, call or session, or too old', async () => {
    const door = await (DOORS[name] ?? DOORS.stdio)?.();
    if (!door) throw new Error('There is no such door.');
    closing.push(door);
    const run = { name: 'session_run', arguments: { taskId: 'open', label: name, concurrent: true } };
    const { requestState, inputRequests } = Round.parse((await door.call(run)).result);
    const [requestId = ''] = Object.keys(inputRequests);
    const reply = { inputResponses: { [requestId]: { action: 'accept', content: { answer: 'the second' } } } };
    const { p: payload, ...envelope } = payloadOf(requestState);
    const { id: other } = await client.call('session_start', { taskId: 'open', concurrent: true });
    const [version, , mac] = requestState.split('.');
    const altered = (change: object) =>
      [version, Buffer.from(JSON.stringify({ p: payload, ...envelope, ...change })).toString('base64url'), mac].join('.');
    const signedByNobody = createRequestStateCodec<typeof payload>({
      key: new Uint8Array(32),
      bind: () => `tools/call ${door.caller}`,
    });

    const forged: Readonly<Record<string, string>> = {
      'of no form': 'x',
      'with another signature': requestState.slice(0, -2) + (requestState.endsWith('AA') ? 'BB' : 'AA'),
      'with another session': altered({ p: { ...payload, sessionIds: [other] } }),
      'made to last': altered({ exp: 9_999_999_999 }),
      'signed with another key': await signedByNobody.mint(payload, {} as never),
      'of a client with another scope': await signed(payload, 'client read'),
      'of a guest': await signed(payload, `guest ${payload.sessionIds[0]}/aaaa`),
      'of a run': await signed(payload, `session ${payload.sessionIds[0]}/1`),
      'of another door': await signed(payload, door.caller === 'door' ? 'client operate' : 'door'),
      'eleven minutes old': await signed(payload, door.caller, 660),
    };
    for (const [what, state] of Object.entries(forged))
      expect(await door.call({ ...run, ...reply, requestState: state }), what).toMatchObject({ error: { code: -32602 } });
    for (const call of [
      { ...run, arguments: { ...run.arguments, label: 'another' } },
      { name: 'session_wait', arguments: { sessionIds: [other] } },
    ])
      expect(await door.call({ ...call, ...reply, requestState })).toMatchObject({ error: { code: -32602 } });
    const session = await client.call('session_get', { sessionId: payload.sessionIds[0] });
    expect(session).toMatchObject({ status: 'waiting', requests: [{ requestId }] });

    // nine minutes old it is good, and the call goes on
    const state = await signed(payload, door.caller, 540);
    expect(await door.call({ ...run, ...reply, requestState: state })).toMatchObject({
      result: { structuredContent: { id: payload.sessionIds[0], result: 'the second' } },
    });
    await client.call('session_cancel', { sessionId: other });
  });
});
