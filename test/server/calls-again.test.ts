// A hub is killed when what a call asked for is on disk and its client was not told: the door sends the call to the next hub, which does nothing more,
// and answers as the first would have.
import { Duplex, PassThrough } from 'node:stream';
import type { Transport } from '@modelcontextprotocol/server';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { EventName } from '../../core/events.ts';
import { RESOURCES } from '../../resources/index.ts';
import { lineSplitter, MAX_CALL_BYTES } from '../../server/lines.ts';
import { createMcpFactory } from '../../server/mcp.ts';
import { runDoor } from '../../server/stdio.ts';
import { createUpdates } from '../../server/updates.ts';
import { get, reborn, running, started } from '../core/talk-rig.ts';
import { type Engine, type EngineOptions, makeEngine } from '../support/engine.ts';

const CALL_ID = 7;
const Answer = z.looseObject({
  id: z.unknown(),
  result: z
    .looseObject({ isError: z.boolean().optional(), content: z.array(z.looseObject({ text: z.string() })).default([]) })
    .optional(),
});
const ONE_SLOT: EngineOptions = { config: { resources: { maxConcurrentSessions: 1 } } };

let keys = 0;
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
});

/** A connection to the hub of this engine; `isLast` is told of each answer, and true kills the hub before it is sent. */
async function connectionTo(engine: Engine, isLast: (id: unknown) => boolean): Promise<Duplex> {
  const { orchestrator } = engine;
  const build = createMcpFactory({
    orchestrator,
    updates: createUpdates(orchestrator, RESOURCES),
    version: '1.0.0',
    listed: { toolsets: ['all'], legacy: false },
    log: () => {},
  });
  const transport: Transport = {
    start: async () => {},
    async send(message) {
      if (!('method' in message) && isLast(message.id)) kill();
      else if (!stream.destroyed) stream.push(`${JSON.stringify(message)}\n`);
    },
    close: async () => transport.onclose?.(),
  };
  const take = lineSplitter(
    MAX_CALL_BYTES,
    (line) => transport.onmessage?.(JSON.parse(line)),
    () => {},
  );
  const stream = new Duplex({
    read: () => {},
    write(chunk: Buffer, _encoding, done) {
      take(chunk);
      done();
    },
  });
  const kill = () => {
    engine.kill();
    stream.destroy();
  };
  const server = await build({ kind: 'door', environment: {} })({ era: 'legacy' });
  await server.connect(transport);
  ends.push(kill);
  return stream;
}

interface Lost {
  readonly tool: string;
  readonly args: object;
  /** The hub is killed when this fact of the call is on disk; left out: when all is done, and only its answer is missing. */
  readonly after?: EventName;
  /** What happens at the next hub before the call comes there again. */
  readonly between?: (next: Engine) => Promise<unknown>;
}

/** Makes the call at this hub, which is killed under it; what the client is answered in the end, and the hub that answered. */
async function callAgain(hub: Engine, { tool, args, after, between }: Lost, options: EngineOptions = ONE_SLOT) {
  let next = hub;
  const [input, output] = [new PassThrough(), new PassThrough()];
  const closing = new AbortController();
  ends.push(() => closing.abort());
  const answers: z.infer<typeof Answer>[] = [];
  output.on(
    'data',
    lineSplitter(
      MAX_CALL_BYTES,
      (line) => answers.push(Answer.parse(JSON.parse(line))),
      () => {},
    ),
  );
  void runDoor({
    input,
    output,
    newKey: () => `key-${++keys}`,
    onTrouble: () => {},
    signal: closing.signal,
    async connect(returning) {
      if (returning) {
        next = await reborn(hub, options);
        await between?.(next);
        return connectionTo(next, () => false);
      }
      const stream = await connectionTo(hub, (id) => id === CALL_ID);
      hub.ledger.subscribe((event) => {
        if (event.name !== after) return;
        hub.kill();
        stream.destroy();
      });
      return stream;
    },
  });
  const say = (message: object) => input.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a test', version: '1' } };
  say({ id: 0, method: 'initialize', params });
  say({ method: 'notifications/initialized' });
  say({ id: CALL_ID, method: 'tools/call', params: { name: tool, arguments: args } });
  const answerOf = () => answers.find(({ id }) => id === CALL_ID)?.result;
  await expect.poll(answerOf, { timeout: 10_000 }).toBeDefined();
  const result = answerOf();
  const answer: unknown = JSON.parse(result?.content[0]?.text ?? '');
  expect(result?.isError, JSON.stringify(answer)).not.toBe(true);
  expect(next).not.toBe(hub);
  return { answer, next };
}

const factsOf = (engine: Engine, name: EventName) => engine.events.filter((event) => event.name === name);

/** A hub whose one slot is taken, and the ids of three that wait. */
async function held() {
  const engine = await makeEngine(ONE_SLOT);
  const first = await running(engine);
  const ids: string[] = [];
  for (let number = 0; number < 3; number++) ids.push(await started(engine));
  return { engine, first, ids };
}

describe('queue_clear that is sent again', () => {
  it.each([undefined, 'queue.cleared'] as const)(
    'cancels those it was about and nobody who came since (killed after: %s)',
    async (after) => {
      const { engine, ids } = await held();
      let since = '';
      const { answer, next } = await callAgain(engine, {
        tool: 'queue_clear',
        args: { reason: 'start over' },
        ...(after && { after }),
        between: async (hub) => {
          since = await started(hub);
        },
      });
      expect(answer).toMatchObject({ cancelled: 3, ids });
      expect(ids.map((id) => get(next, id).status)).toEqual(Array(3).fill('cancelled'));
      expect(get(next, since).status).toBe('queued');
      expect(factsOf(next, 'queue.cleared')).toHaveLength(1);
      expect(factsOf(next, 'session.cancelled')).toHaveLength(3);
    },
  );

  it('leaves alone what somebody prompted in between, so that it waits again', async () => {
    const { engine, ids } = await held();
    const [id = ''] = ids;
    const { answer, next } = await callAgain(engine, {
      tool: 'queue_clear',
      args: {},
      between: (hub) => hub.orchestrator.prompt({ sessionId: id, prompt: 'Go on.', mode: 'queue', timeoutMs: 0 }, 'me'),
    });
    expect(answer).toMatchObject({ cancelled: 3, ids });
    expect(get(next, id).status).toBe('queued');
  });
});

describe('queue_move that is sent again', () => {
  it('is answered with the session, though it waits no more', async () => {
    const { engine, first, ids } = await held();
    const id = ids[2] ?? '';
    const { answer } = await callAgain(engine, {
      tool: 'queue_move',
      args: { sessionId: id, place: 1 },
      async between(hub) {
        await hub.orchestrator.cancel(first, { by: 'me' });
        hub.run(first).end(143);
        await hub.settle();
        expect(get(hub, id).status).toBe('starting');
      },
    });
    expect(answer).toMatchObject({ id, status: 'starting' });
  });
});

describe('a call that is sent again does not undo what somebody did since:', () => {
  it('queue_pause and queue_resume', async () => {
    const engine = await makeEngine();
    const paused = await callAgain(engine, { tool: 'queue_pause', args: {}, between: (hub) => hub.orchestrator.resume('me') });
    expect(paused.next.ledger.isPaused).toBe(false);
    await paused.next.orchestrator.pause({ by: 'me' });
    const pause = (hub: Engine) => hub.orchestrator.pause({ by: 'somebody else' });
    const resumed = await callAgain(paused.next, { tool: 'queue_resume', args: {}, between: pause });
    expect(resumed.next.ledger.isPaused).toBe(true);
  });

  it('session_config', async () => {
    const path = 'resources.maxConcurrentSessions';
    const { next } = await callAgain(await makeEngine(), {
      tool: 'session_config',
      args: { settings: [`${path}=7`] },
      between: (hub) => hub.orchestrator.tune({ set: { [path]: 5 }, reset: [] }, 'me'),
    });
    expect(next.ledger.overrides).toEqual({ [path]: 5 });
  });

  it('session_pin', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const { next } = await callAgain(engine, {
      tool: 'session_pin',
      args: { sessionId: id },
      between: (hub) => hub.orchestrator.pin(id, { pinned: false }, 'me'),
    });
    expect(get(next, id).pinned).toBe(false);
  });

  it('session_cancel of one that waited', async () => {
    const { engine, ids } = await held();
    const id = ids[0] ?? '';
    const { next } = await callAgain(engine, { tool: 'session_cancel', args: { sessionId: id }, between: goOn(id) });
    expect(get(next, id).status).toBe('queued');
  });

  it('session_cancel of one that ran, with what came of it', async () => {
    const { engine, first } = await held();
    const child = await started(engine, {}, first);
    const { next } = await callAgain(engine, {
      tool: 'session_cancel',
      args: { sessionId: first },
      async between(hub) {
        hub.run(first).end(143);
        await hub.settle();
        for (const id of [first, child]) await goOn(id)(hub);
      },
    });
    for (const id of [first, child]) expect(get(next, id).status).toBe('queued');
  });

  /** Goes on with a session that was cancelled. */
  const goOn = (sessionId: string) => async (hub: Engine) => {
    expect(get(hub, sessionId).status).toBe('cancelled');
    await hub.orchestrator.prompt({ sessionId, prompt: 'Go on.', mode: 'queue', timeoutMs: 0 }, 'me');
  };
});

describe('session_share that is sent again', () => {
  const share = (sessionId: string) => ({ tool: 'session_share', args: { sessionId, role: 'watch', name: 'Anna' } });

  it('gives the token of the share that is there, and makes no other', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const { answer, next } = await callAgain(engine, share(id));
    const [made, ...more] = next.orchestrator.shares(id);
    expect(more).toEqual([]);
    expect(answer).toMatchObject({ shareId: made?.shareId, token: `token-${made?.shareId}`, shares: [{ name: 'Anna' }] });
  });

  it('to end one is answered with those that are left', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    const { shareId } = await engine.orchestrator.share({ sessionId: id, role: 'watch', name: 'Anna', lifeMs: 60_000 }, 'me');
    const { answer, next } = await callAgain(engine, { tool: 'session_share', args: { sessionId: id, revoke: shareId } });
    expect(answer).toMatchObject({ sessionId: id, shares: [] });
    expect(factsOf(next, 'session.unshared')).toHaveLength(1);
  });
});

describe('request_answer that is sent again', () => {
  it.each([
    ['a permission', { kind: 'permission', tool: 'Bash', input: {} }, { decision: 'allow', remember: true }],
    ['a question', { kind: 'question', text: 'Which?' }, { decision: 'answer', text: 'The second one.' }],
  ] as const)('is answered with what was delivered: %s', async (_what, ask, answered) => {
    const engine = await makeEngine();
    const id = await running(engine);
    engine.orchestrator.ask(id, ask).catch(() => undefined);
    await engine.settle();
    const requestId = `${id}.1`;
    const { answer, next } = await callAgain(engine, { tool: 'request_answer', args: { requestId, ...answered } });
    expect(answer).toMatchObject({ request: { requestId, decision: answered.decision, answeredBy: 'a test 1' } });
    expect(factsOf(next, 'session.answered')).toHaveLength(1);
  });
});
