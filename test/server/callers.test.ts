// What each caller of one hub sees and may do over HTTP, by tasks, resources and lists as well as by tools: a run its own tree, a guest the one
// session that was shared, a client what its scope says.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../server/clock.ts';
import { SESSION_TOOLS } from '../../server/listing.ts';
import { toolNamed } from '../../tools/index.ts';
import { ended, running, started } from '../core/talk-rig.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import { type Access, askHttp, beginLegacy, modernRequest, openStream, type RpcAnswer } from '../support/http-clients.ts';
import { openTestDoor, type TestDoor } from '../support/http-door.ts';

const TASKS = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
const Listed = z.looseObject({ resources: z.array(z.looseObject({ uri: z.string() })) });

let engine: Engine;
let door: TestDoor;
let ids: Record<'parent' | 'child' | 'stranger' | 'queued', string>;

beforeEach(async () => {
  engine = await makeEngine({
    clock: { ...systemClock, advance: () => {}, setBack: () => {} },
    config: { resources: { maxConcurrentSessions: 3 } },
  });
  const parent = await running(engine, { taskId: 'fix-login' });
  const child = await running(engine, {}, parent);
  const stranger = await running(engine, { taskId: 'other', label: 'a label of a stranger' });
  // the slots are taken: it waits in the line
  const queued = await started(engine, { label: 'another stranger' });
  ids = { parent, child, stranger, queued };
  for (const id of [child, stranger]) engine.orchestrator.ask(id, { kind: 'question', text: 'May I?' }).catch(() => undefined);
  await engine.settle();
  door = await openTestDoor(engine);
});
afterEach(async () => {
  await door.close();
  engine.kill();
});

const textOf = (answer: RpcAnswer) => JSON.stringify(answer);
const call = async (access: Access, name: string, args: object = {}) =>
  (await askHttp(access, 'tools/call', { name, arguments: args })).result ?? {};

describe('a task', () => {
  const get = (access: Access, taskId: string) => askHttp(access, 'tasks/get', { taskId }, TASKS);
  const of = (id: string) => `run.${id}`;
  const waitOf = (...all: string[]) => `wait.any..1.${all.join('~')}`;
  const deeds = (taskId: string, requestId = 'x') =>
    [
      ['tasks/update', { taskId, inputResponses: { [requestId]: { action: 'accept', content: { answer: 'yes' } } } }],
      ['tasks/cancel', { taskId }],
    ] as const;
  const none = (said: string) => ({ error: { code: -32602, message: expect.stringContaining(said) } });

  it('is known to those who may see its sessions, and to nobody else', async () => {
    const { parent, child, stranger } = ids;
    const run = door.run(parent);
    const guest = await door.guest(stranger, 'watch');
    for (const seen of [of(child), of(parent), waitOf(child), waitOf(parent, child)])
      expect(await get(run, seen)).toMatchObject({ result: { taskId: seen } });
    for (const hidden of [of(stranger), waitOf(stranger), waitOf(child, stranger)])
      expect(await get(run, hidden)).toMatchObject(none('There is no such task'));
    expect(await get(guest, of(stranger))).toMatchObject({ result: { taskId: of(stranger) } });
    for (const hidden of [of(child), waitOf(stranger, child)])
      expect(await get(guest, hidden)).toMatchObject(none('There is no such task'));
    const read = await door.client('read');
    for (const id of Object.values(ids)) expect(await get(read, of(id))).toMatchObject({ result: { taskId: of(id) } });
  });

  it('is answered and cancelled by those alone who may do so by the tools', async () => {
    const { parent, child, stranger } = ids;
    const refused: readonly (readonly [Access, string, string])[] = [
      [await door.client('read'), stranger, 'scope operate'],
      [await door.guest(stranger, 'watch'), stranger, 'not for guests'],
      [await door.guest(stranger, 'prompt'), stranger, 'not for guests'],
      [await door.guest(stranger, 'prompt'), child, 'not for guests'],
      [door.run(parent), stranger, 'There is no such task'],
      [door.run(child), parent, 'There is no such task'],
    ];
    const before = engine.events.length;
    for (const [access, id, says] of refused)
      for (const taskId of [of(id), waitOf(id)])
        for (const [method, params] of deeds(taskId, `${id}.1`))
          expect(await askHttp(access, method, params, TASKS), `${method} ${taskId} ${says}`).toMatchObject(none(says));
    // a run does neither to itself
    const [, cancel] = deeds(of(child));
    const [update] = deeds(of(child), `${child}.1`);
    for (const [method, params] of [cancel, update])
      expect(await askHttp(door.run(child), method, params, TASKS)).toMatchObject(none('cannot do this to itself'));
    expect(engine.events).toHaveLength(before);

    const [[method, params]] = deeds(of(child), `${child}.1`);
    expect(await askHttp(door.run(parent), method, params, TASKS)).toMatchObject({ result: { resultType: 'complete' } });
    expect(engine.ledger.session(child)?.requests).toMatchObject([{ answer: { text: 'yes', by: `session ${parent}` } }]);
    const operate = await door.client('operate');
    for (const [method, params] of deeds(of(stranger), `${stranger}.1`))
      expect(await askHttp(operate, method, params, TASKS)).toMatchObject({ result: { resultType: 'complete' } });
    expect(engine.ledger.session(stranger)).toMatchObject({ stop: { kind: 'cancelled' } });
  });

  it('is nobody’s who does not say that he can follow one', async () => {
    for (const access of [await door.client('admin'), door.run(ids.parent)])
      for (const [method, params] of [['tasks/get', { taskId: of(ids.child) }] as const, ...deeds(of(ids.child))])
        expect(await askHttp(access, method, params)).toMatchObject({ error: { code: -32021 } });
  });

  it('is over when its session asks where nobody is there to be shown the form, as the plain call is', async () => {
    const asked = { requests: [{ requestId: `${ids.child}.1` }] };
    for (const access of [await door.client('read'), door.run(ids.parent)]) {
      expect(await get(access, of(ids.child))).toMatchObject({
        result: { status: 'completed', result: { structuredContent: asked } },
      });
      expect((await get(access, waitOf(ids.child))).result).toMatchObject({
        status: 'completed',
        result: { structuredContent: { sessions: [asked] } },
      });
    }
    const { result } = await get(await door.client('operate'), of(ids.child));
    expect(result).toMatchObject({ status: 'input_required', inputRequests: { [`${ids.child}.1`]: {} } });
  });

  it('is not told about on a stream; who asks for that without being able to follow one is told so', async () => {
    const wish = { notifications: { taskIds: [of(ids.child)] } };
    const operate = await door.client('operate');
    expect(await askHttp(operate, 'subscriptions/listen', wish)).toMatchObject({
      error: { code: -32021, data: { requiredCapabilities: TASKS } },
    });
    // a stream about nothing else ends at once
    const answer = await askHttp(operate, 'subscriptions/listen', wish, TASKS);
    expect(textOf(answer)).toContain('"resultType":"complete"');
    expect(textOf(answer)).not.toContain(ids.child);
  });
});

describe('a run', () => {
  const READING = SESSION_TOOLS.filter((name) => toolNamed(name)?.tool.effect === 'reads');
  const strangers = () => [ids.stranger, ids.queued, 'a label of a stranger', 'another stranger'];
  const expectOwn = (text: string, what: string) => {
    for (const hidden of strangers()) expect(text, what).not.toContain(hidden);
  };

  it('is told of its own tree alone by everything that lists', async () => {
    const run = door.run(ids.parent);
    const args: Readonly<Record<string, object>> = {
      session_wait: { sessionIds: [ids.child], timeoutSeconds: 0 },
      session_get: { sessionId: ids.child },
      session_logs: { sessionId: ids.child },
    };
    for (const tool of READING) {
      const answer = await call(run, tool, args[tool]);
      expect(answer.isError, `${tool}: ${JSON.stringify(answer)}`).toBeFalsy();
      expectOwn(JSON.stringify(answer), tool);
    }
    const { resources } = Listed.parse((await askHttp(run, 'resources/list')).result);
    expect(resources.map(({ uri }) => uri)).toContain(`session://${ids.child}`);
    for (const { uri } of [...resources, { uri: 'task://other/history' }, { uri: 'task://fix-login/history' }]) {
      const answer = await askHttp(run, 'resources/read', { uri });
      expect(answer.result, uri).toBeDefined();
      expectOwn(textOf(answer), uri);
    }
    const ref = { type: 'ref/resource', uri: 'session://{id}' };
    expectOwn(textOf(await askHttp(run, 'completion/complete', { ref, argument: { name: 'id', value: '' } })), 'completion');
    // what is hidden is there
    const read = await door.client('read');
    for (const tool of ['session_list', 'queue_status', 'request_list', 'task_list'])
      expect(JSON.stringify(await call(read, tool)), tool).toContain(ids.stranger);
  });

  it('hears in events://recent what concerns its tree, and not what concerns everybody', async () => {
    await engine.ledger.record({ name: 'queue.paused', data: { by: 'somebody', reason: 'a reason' } });
    const Events = z.object({
      events: z.array(z.object({ sessionId: z.string().optional(), name: z.string() })),
      total: z.number(),
    });
    const read = async (access: Access) => {
      const { result } = await askHttp(access, 'resources/read', { uri: 'events://recent' });
      const { contents } = z.looseObject({ contents: z.tuple([z.looseObject({ text: z.string() })]) }).parse(result);
      return Events.parse(JSON.parse(contents[0].text));
    };
    const { events, total } = await read(door.run(ids.parent));
    expect(new Set(events.map(({ sessionId }) => sessionId))).toEqual(new Set([ids.parent, ids.child]));
    expect(events.filter(({ name }) => name === 'session.started')).toHaveLength(2);
    // nor why everybody waits
    const status = async (access: Access) => (await call(access, 'queue_status')).structuredContent;
    expect(await status(await door.client('read'))).toMatchObject({ isPaused: true, pauseReason: 'a reason' });
    expect(await status(door.run(ids.parent))).toMatchObject({ isPaused: true });
    expect(await status(door.run(ids.parent))).not.toHaveProperty('pauseReason');
    expect(total).toBe(events.length);
    const all = await read(await door.client('read'));
    expect(all.events.map(({ name }) => name)).toContain('queue.paused');
    expect((await read(door.run(ids.child))).events.every(({ sessionId }) => sessionId === ids.child)).toBe(true);
  });

  it('sees its place in the line, and of others only how many there are', async () => {
    const waiting = await started(engine, {}, ids.parent);
    const { structuredContent } = await call(door.run(ids.parent), 'queue_status');
    expect(structuredContent).toMatchObject({
      slots: { total: 3, taken: 3 },
      active: [{ id: ids.parent }, { id: ids.child }],
      line: [{ id: waiting, position: 2 }],
      waiting: 2,
    });
  });

  it('has request keys of its own: the key of another starts, and tells, nothing of theirs', async () => {
    const other = await running(await slots(), {});
    const start = { taskId: 'fix-login', concurrent: true, requestKey: 'once' };
    const one = (access: Access) => call(access, 'session_start', { prompt: '@@say x', agent: 'demo', requestKey: 'once' });
    const first = await one(door.run(ids.parent));
    const second = await one(door.run(other));
    const outside = await one(await door.client('operate'));
    const id = (answer: Readonly<Record<string, unknown>>) =>
      z.looseObject({ structuredContent: z.looseObject({ id: z.string() }) }).parse(answer).structuredContent.id;
    expect(new Set([first, second, outside].map(id)).size).toBe(3);
    expect(id(await one(door.run(ids.parent)))).toBe(id(first));
    expect(engine.ledger.session(id(second))).toMatchObject({ parentId: other });
    const reused = await call(door.run(ids.parent), 'session_start', start);
    expect(JSON.stringify(reused)).toContain('REQUEST_KEY_REUSED');
    for (const theirs of [id(second), id(outside)]) expect(JSON.stringify(reused)).not.toContain(theirs);
  });

  const slots = async () => {
    await ended(engine, ids.stranger);
    await ended(engine, ids.queued);
    return engine;
  };
});

describe('a guest', () => {
  it('is told of the one session alone by everything that lists', async () => {
    const { stranger, parent, child, queued } = ids;
    const guest = await door.guest(stranger, 'prompt');
    const hidden = [parent, child, queued];
    for (const [tool, args] of [
      ['session_get', { sessionId: stranger }],
      ['session_wait', { sessionIds: [stranger], timeoutSeconds: 0 }],
      ['session_logs', { sessionId: stranger }],
      ['request_list', {}],
    ] as const) {
      const answer = await call(guest, tool, args);
      expect(answer.isError, tool).toBeFalsy();
      for (const id of hidden) expect(JSON.stringify(answer), tool).not.toContain(id);
    }
    const { resources } = Listed.parse((await askHttp(guest, 'resources/list')).result);
    expect(resources.map(({ uri }) => uri)).toEqual([`session://${stranger}`, `session://${stranger}/log`]);
    for (const uri of [
      'events://recent',
      'queue://status',
      'task://other/history',
      `session://${child}`,
      `session://${child}/log/0:0.0-0:0.0`,
    ])
      expect(await askHttp(guest, 'resources/read', { uri }), uri).toMatchObject({ error: { code: -32602, data: { uri } } });
    expect((await askHttp(guest, 'prompts/list')).result).toMatchObject({ prompts: [] });
    for (const name of ['id', 'from']) {
      const ref = { type: 'ref/resource', uri: 'session://{id}/log/{from}-{to}' };
      const context = { arguments: { id: child } };
      const answer = await askHttp(guest, 'completion/complete', { ref, argument: { name, value: '' }, context });
      expect(answer.result).toMatchObject({ completion: { values: [] } });
    }
  });

  it('does not learn what another one said by the same request key', async () => {
    const [one, two] = [await door.guest(ids.stranger, 'prompt'), await door.guest(ids.stranger, 'prompt')];
    const say = (access: Access, prompt: string) =>
      call(access, 'session_prompt', { sessionId: ids.stranger, prompt, requestKey: 'k', timeoutSeconds: 0 });
    for (const [access, prompt] of [
      [one, 'First.'],
      [two, 'Second.'],
      [one, 'First.'],
    ] as const)
      expect((await say(access, prompt)).isError).toBeFalsy();
    expect(engine.ledger.session(ids.stranger)?.prompts?.map(({ text }) => text)).toEqual(['First.', 'Second.']);
  });
});

it('the list of all sessions growing is told to clients, and neither to a run nor to a guest', async () => {
  const wish = { notifications: { resourcesListChanged: true, toolsListChanged: true } };
  const acknowledged = async (access: Access) => {
    const stream = await openStream(access, modernRequest('subscriptions/listen', wish));
    if (typeof stream === 'number') throw new Error(`It was refused: ${stream}.`);
    await expect.poll(() => stream.text()).toContain('acknowledged');
    const text = stream.text();
    stream.close();
    return text;
  };
  expect(await acknowledged(await door.client('read'))).toContain('resourcesListChanged');
  for (const access of [door.run(ids.parent), await door.guest(ids.stranger, 'watch')])
    expect(await acknowledged(access)).not.toContain('resourcesListChanged');
});

it('neither hears of it on the stream of the older era, where each hears of what it subscribed to and may read', async () => {
  const [child, stranger] = [`session://${ids.child}`, `session://${ids.stranger}`];
  let isPinned = false;
  const stir = async () => {
    isPinned = !isPinned;
    for (const sessionId of [ids.child, ids.stranger])
      await engine.ledger.record({ name: 'session.pinned', data: { sessionId, pinned: isPinned, by: 'a test' } });
  };
  const opened = async (access: Access, uri: string, hidden?: string) => {
    const session = await beginLegacy(access);
    for (const own of [uri, `${uri}/log`]) expect(await session.ask('resources/subscribe', { uri: own })).toContain('"result"');
    if (hidden !== undefined) expect(await session.ask('resources/subscribe', { uri: hidden })).toContain('"error"');
    return session.listen(stir);
  };
  const all = await opened(await door.client('read'), stranger);
  const run = await opened(door.run(ids.parent), child, stranger);
  const guest = await opened(await door.guest(ids.stranger, 'watch'), stranger, child);
  await started(engine);
  await expect.poll(all.text).toContain('notifications/resources/list_changed');
  // what is told later comes later: who has heard this was not told of the list
  for (const [stream, uri] of [
    [run, child],
    [guest, stranger],
  ] as const) {
    engine.run(uri.replace('session://', '')).say({ kind: 'spoke', bytes: 1 });
    await expect.poll(stream.text).toContain(`"uri":"${uri}/log"`);
    expect(stream.text()).not.toContain('list_changed');
  }
  expect(run.text()).not.toContain(`"uri":"${stranger}"`);
  expect(guest.text()).not.toContain(`"uri":"${child}"`);
  for (const stream of [all, run, guest]) stream.close();
});
