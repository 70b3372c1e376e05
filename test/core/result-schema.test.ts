// The data a session is to end with: which schemas are taken, what fits them, and what becomes of a session whose result does not.
import { describe, expect, it } from 'vitest';
import { dataOf, MAX_DATA_LENGTH, MAX_SCHEMA_LENGTH, schemaOf } from '../../core/result-schema.ts';
import { caller, makeEngine } from '../support/engine.ts';

const object = (more: object) => JSON.stringify({ type: 'object', ...more });
const text = (given: string) => ({ text: given, isError: false });
const VERDICT = object({ properties: { verdict: { enum: ['good', 'bad'] }, points: { type: 'number' } }, required: ['verdict'] });
const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

describe('a schema', () => {
  it.each([
    ['', 'is no JSON object'],
    ['[1]', 'is no JSON object'],
    ['"object"', 'is no JSON object'],
    ['{}', '`type` must be "object"'],
    ['{"type":"string"}', '`type` must be "object"'],
    [object({ properties: { a: { type: 'strnig' } } }), 'uses what is not supported'],
    [object({ if: { required: ['a'] } }), 'uses what is not supported'],
    [object({ properties: { a: 5 } }), 'uses what is not supported'],
    [object({ properties: { a: { type: 'string', pattern: '^(a+)+$' } } }), 'uses `pattern`'],
    [object({ patternProperties: { '^(a+)+$': { type: 'string' } } }), 'uses `patternProperties`'],
    [object({ anyOf: [{ properties: { a: { type: 'array', items: { type: 'string', pattern: 'a' } } } }] }), 'uses `pattern`'],
    [object({ $ref: '#' }), 'refers to "#"'],
    [object({ properties: { a: { $ref: 'http://example.com/a' } } }), 'refers to "http://example.com/a"'],
    [object({ properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { $ref: '#/$defs/a' } } }), 'refers to itself'],
    [
      object({ properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { type: 'array', items: { $ref: '#/$defs/a' } } } }),
      'refers to itself',
    ],
    [object({ properties: { a: { minimum: 3 } } }), 'says `minimum` without a `type`'],
    [object({ properties: { a: { const: { b: 1 } } } }), 'has an object or a list among the values'],
    [object({ properties: { a: { enum: [1, [2]] } } }), 'has an object or a list among the values'],
    [`{"type":"object","x":${nested(65)}}`, 'has more than 64 levels'],
    [`{"type":"object","x":${'['.repeat(9000)}${']'.repeat(9000)}}`, 'has more than 64 levels'],
  ])('%# is refused', (schema, message) => {
    expect(() => schemaOf(schema)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', message: expect.stringContaining(message) }),
    );
  });

  it('whose references add up to what would take for ever is refused, and one that only repeats itself is not', () => {
    const doubling = (levels: number) => {
      const names = Array.from({ length: levels }, (_, at) => at);
      const defs = names.map((at) => [`d${at}`, { allOf: [{ $ref: `#/$defs/d${at + 1}` }, { $ref: `#/$defs/d${at + 1}` }] }]);
      return object({
        properties: { a: { $ref: '#/$defs/d0' } },
        $defs: { ...Object.fromEntries(defs), [`d${levels}`]: { type: 'number' } },
      });
    };
    expect(() => schemaOf(doubling(40))).toThrow('comes to more than 2000 schemas');
    expect(schemaOf(doubling(4)).safeParse({ a: 1 }).success).toBe(true);
    expect(schemaOf(doubling(4)).safeParse({ a: 'x' }).success).toBe(false);
  });

  it.each([
    [{ properties: { a: { type: ['number', 'null'] } } }, { a: null }, { a: 'x' }],
    [{ required: ['a'] }, { a: 1 }, {}],
    [{ properties: { b: {} }, required: ['a', 'b'] }, { a: 1, b: 2 }, { b: 2 }],
    [{ properties: { a: { type: 'number', default: 3 } }, required: ['a'] }, { a: 1 }, {}],
    [{ anyOf: [{ required: ['a'] }, { required: ['b'] }] }, { b: 1 }, { c: 1 }],
    [{ properties: { a: { properties: { b: { type: 'string' } } } } }, { a: { b: 'x' } }, { a: { b: 1 } }],
    [{ properties: { a: { const: 'x' } } }, { a: 'x' }, { a: 'y' }],
    [{ properties: { a: { enum: ['x', 1] } }, required: ['a'] }, { a: 1 }, { a: 2 }],
    [{ properties: { a: { type: 'string', format: 'email' } } }, { a: 'a@example.com' }, { a: 'x' }],
    [
      { properties: { default: { type: 'string' }, pattern: { type: 'string' } } },
      { default: 'x', pattern: 'y' },
      { default: 1 },
    ],
    [
      {
        properties: { a: { $ref: '#/definitions/x~1y' } },
        definitions: { 'x/y': { type: 'number' } },
        $schema: 'http://json-schema.org/draft-07/schema#',
      },
      { a: 1 },
      { a: 'x' },
    ],
    [{ properties: {}, additionalProperties: false }, {}, { a: 1 }],
  ])('%j takes %j and not %j', (schema, good, bad) => {
    expect(schemaOf(object(schema)).safeParse(good).success).toBe(true);
    expect(schemaOf(object(schema)).safeParse(bad).success).toBe(false);
  });

  it('leaves nothing behind, so that the next one with its id is taken too', () => {
    for (const title of ['a', 'b']) expect(() => schemaOf(object({ $id: 'x', id: 'x', title }))).not.toThrow();
  });
});

describe('the data of a result', () => {
  it('is what the agent reports, and else the JSON of its whole answer, fenced or not', () => {
    const data = { verdict: 'good', points: 3 };
    const json = JSON.stringify(data);
    for (const result of [
      { ...text('All well.'), data },
      { ...text('{"verdict":"bad"}'), data },
      text(json),
      text(`  ${json}\n`),
      text(`\`\`\`json\n${json}\n\`\`\``),
      text(`\`\`\` \r\n${json}\r\n\`\`\`  \n`),
    ])
      expect(dataOf(VERDICT, result)).toEqual({ data });
  });

  it('keeps what the schema does not speak of, and adds nothing to it', () => {
    const schema = object({ properties: { a: { type: 'number', default: 1 } } });
    expect(dataOf(schema, text('{"b":null}'))).toEqual({ data: { b: null } });
  });

  it.each([
    [undefined, 'it gave no structured result'],
    [text(''), 'it gave no structured result'],
    [text('{"verdict":'), 'it gave no structured result'],
    [text('Here it is: {"verdict":"good"}'), 'it gave no structured result'],
    [text('```ts\n{"verdict":"good"}\n```'), 'it gave no structured result'],
    [text('```{"verdict":"good"}```'), 'it gave no structured result'],
    [text('null'), 'its structured result does not fit: the whole: Invalid input: expected object, received null'],
    [
      text('{"verdict":"so so","points":"3"}'),
      'its structured result does not fit: verdict: Invalid option: expected one of "good"|"bad"; points: ',
    ],
    [text(nested(65)), 'its structured result has too many levels'],
    [text(nested(3000)), 'its structured result has too many levels'],
    [{ ...text(''), data: { verdict: 'good', more: 'x'.repeat(MAX_DATA_LENGTH) } }, `at most ${MAX_DATA_LENGTH} are kept`],
  ])('%# is missed in words', (result, problem) => {
    expect(dataOf(VERDICT, result)).toEqual({ problem: expect.stringContaining(problem) });
  });

  it('is missed in few words, however much is wrong', () => {
    const names = Array.from({ length: 8 }, (_, at) => `n${at}`);
    const found = dataOf(object({ required: names }), text('{}'));
    expect('problem' in found && found.problem).toMatch(/n4: .*; and 3 more$/);
    const long = dataOf(object({ additionalProperties: false, properties: {} }), text(JSON.stringify({ ['k'.repeat(9000)]: 1 })));
    expect('problem' in long && long.problem.length).toBeLessThan(300);
  });

  it('is found in time that grows with the answer, whatever it is', () => {
    const from = performance.now();
    for (const answer of [`\`\`\`${'\n'.repeat(19_000)}x`, `\`\`\`${'\n```'.repeat(4900)} x`, `${' '.repeat(19_000)}x`])
      expect(dataOf(VERDICT, text(answer))).toHaveProperty('problem');
    expect(performance.now() - from).toBeLessThan(1000);
  });
});

describe('a session with a result schema', () => {
  const request = { type: 'autonomous', queue: true, prompt: 'judge', resultSchema: VERDICT } as const;
  const started = async () => {
    const engine = await makeEngine();
    const { session } = await engine.orchestrator.start(request, caller);
    await engine.settle();
    return { engine, id: session.id };
  };

  it('hands the schema to its agent and keeps the data, as it was checked', async () => {
    const { engine, id } = await started();
    expect(engine.run(id).spec).toMatchObject({ resultSchema: VERDICT });
    engine.run(id).end(0, { result: text('{"verdict":"good"}') });
    await engine.settle();
    expect(engine.orchestrator.get(id)).toMatchObject({ status: 'completed', result: { data: { verdict: 'good' } } });
    expect(engine.orchestrator.view(engine.orchestrator.get(id)).data).toEqual({ verdict: 'good' });
  });

  it('fails with schema_mismatch where its result does not fit, with the answer kept and the data not', async () => {
    const { engine, id } = await started();
    engine.run(id).end(0, { result: { ...text('Done.'), data: { verdict: 'so so' } } });
    await engine.settle();
    const session = engine.orchestrator.get(id);
    expect(session).toMatchObject({
      status: 'failed',
      cause: { kind: 'schema_mismatch', reason: expect.stringContaining('verdict') },
    });
    expect(session.result).toMatchObject({ text: 'Done.' });
    expect(session.result).not.toHaveProperty('data');
  });

  it('ends by its own cause where it did not complete at all', async () => {
    const { engine, id } = await started();
    engine.run(id).end(1, { result: undefined, stderr: 'boom' });
    await engine.settle();
    expect(engine.orchestrator.get(id)).toMatchObject({ status: 'failed', cause: { kind: 'agent_error', reason: 'boom' } });
  });

  it('is what keeps data: what nobody asked for and nobody checked is left out', async () => {
    const engine = await makeEngine();
    const { session } = await engine.orchestrator.start({ ...request, resultSchema: undefined }, caller);
    await engine.settle();
    engine.run(session.id).end(0, { result: { ...text('Done.'), data: { a: 1 } } });
    await engine.settle();
    expect(engine.orchestrator.get(session.id).result).toEqual(text('Done.'));
  });

  it.each([
    [{ resultSchema: '{}' }, '`type` must be "object"'],
    [{ resultSchema: `${VERDICT}${' '.repeat(MAX_SCHEMA_LENGTH)}` }, `${MAX_SCHEMA_LENGTH}`],
    [{ type: 'interactive' as const }, 'no structured result'],
  ])('is not started with %#', async (more, message) => {
    const engine = await makeEngine();
    await expect(engine.orchestrator.start({ ...request, ...more }, caller)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(message),
    });
    expect(engine.events).toEqual([]);
  });
});
