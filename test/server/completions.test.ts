// What is being typed completes: every argument of a prompt that names something, and every variable in the address of a resource.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { offers } from '../../core/offers.ts';
import { RESOURCES } from '../../resources/index.ts';
import { running, SPOKE } from '../core/talk-rig.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import { askHttp } from '../support/http-clients.ts';
import { openTestDoor, type TestDoor } from '../support/http-door.ts';

const Completed = z.looseObject({ completion: z.looseObject({ values: z.array(z.string()) }) });

let engine: Engine;
let door: TestDoor;
let sessionId: string;

beforeEach(async () => {
  engine = await makeEngine({ log: SPOKE });
  sessionId = await running(engine);
  door = await openTestDoor(engine);
});
afterEach(async () => {
  await door.close();
  engine.kill();
});

async function complete(ref: object, name: string, value = '', known: object = {}): Promise<readonly string[]> {
  const params = { ref, argument: { name, value }, context: { arguments: known } };
  const { result } = await askHttp(await door.client('read'), 'completion/complete', params);
  return Completed.parse(result).completion.values;
}

describe('every variable of an address', () => {
  it('has something that it could be', async () => {
    const variables = RESOURCES.flatMap(({ uriTemplate }) =>
      [...uriTemplate.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [uriTemplate, name] as const),
    );
    expect(variables.length).toBeGreaterThan(4);
    for (const [uri, name] of variables)
      expect(await complete({ type: 'ref/resource', uri }, name, '', { id: sessionId }), `${uri} ${name}`).not.toEqual([]);
  });

  it('is a session, a task, or a place in the log of the session that was named', async () => {
    const uri = 'session://{id}/log/{from}-{to}';
    const of = (name: string, value: string, known = {}) => complete({ type: 'ref/resource', uri }, name, value, known);
    expect(await of('id', sessionId.slice(0, 3))).toEqual([sessionId]);
    expect(await of('from', '', { id: sessionId })).toEqual(['0:0.0', '1:0']);
    expect(await of('to', '1', { id: sessionId })).toEqual(['1:0']);
    expect(await of('to', '')).toEqual([]);
    expect(await complete({ type: 'ref/resource', uri: 'task://{id}/history' }, 'id', 'fix')).toEqual(['fix-login']);
  });
});

describe('every argument of a prompt', () => {
  it('that names something has something that it could be, and a free text has nothing', async () => {
    const found: Record<string, boolean> = {};
    for (const { name, arguments: given } of await offers(engine.orchestrator))
      for (const argument of given)
        found[argument.name] = (await complete({ type: 'ref/prompt', name }, argument.name)).length > 0;
    expect(found).toMatchObject({ taskId: true, sessionId: true, rule: true });
    const free = Object.keys(found).filter((name) => !found[name]);
    expect(free.filter((name) => /id$|rule|task|session/i.test(name))).toEqual([]);
  });
});
