// Every tool and every resource is declared as the doors, the command line and the pages need it. Nothing is called here.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TOKEN_BUDGET, tokensOf } from '../bench/tokens.ts';
import { ERRORS } from '../core/errors.ts';
import { variablesOf } from '../resources/define.ts';
import { RESOURCES } from '../resources/index.ts';
import { INSTRUCTIONS } from '../server/instructions.ts';
import { inputSchema } from '../server/listing.ts';
import { ALIASES } from '../tools/aliases.ts';
import { EFFECTS } from '../tools/define.ts';
import { TOOLS, toolNamed } from '../tools/index.ts';
import { PROJECT } from './support/project.ts';

const MOST_TOKENS_OF_ONE = 800;
const PLAIN = ['string', 'number', 'integer', 'boolean'];

const Schema = z.looseObject({
  type: z.literal('object'),
  additionalProperties: z.unknown(),
  properties: z.record(
    z.string(),
    z.looseObject({
      type: z.string().optional(),
      anyOf: z.array(z.looseObject({ type: z.string() })).optional(),
      description: z.string().optional(),
      items: z.looseObject({ type: z.string().optional() }).optional(),
    }),
  ),
});
const named = TOOLS.map((tool) => [tool.name, tool] as const);
const inputOf = (tool: (typeof TOOLS)[number]) => Schema.parse(z.toJSONSchema(tool.input, { io: 'input' }));

describe.each(named)('%s', (name, tool) => {
  it('has a name of noun and verb, a short title and a description that can be read', () => {
    expect(name).toMatch(/^[a-z]+_[a-z]+$/);
    expect(tool.title).toMatch(/^[A-Z].{3,39}$/);
    expect(tool.title).not.toMatch(/\.$/);
    expect(tool.description.length).toBeGreaterThanOrEqual(60);
    expect(tool.description.length).toBeLessThanOrEqual(400);
    expect(tool.description).toMatch(/\.$/);
    expect(tool.description).not.toMatch(/important|must always|\bnever ever\b/i);
    expect(tool.description).not.toContain('\n');
  });

  it('takes flat arguments, each described, and no others', () => {
    const { properties, additionalProperties, ...rest } = inputOf(tool);
    expect(additionalProperties).toBe(false);
    expect(Object.keys(rest).filter((key) => ['anyOf', 'oneOf', 'allOf', '$defs'].includes(key))).toEqual([]);
    for (const [field, { type: single, anyOf, items, description, ...more }] of Object.entries(properties)) {
      // one of two plain values
      const type = anyOf?.every((one) => PLAIN.includes(one.type)) ? anyOf[0]?.type : single;
      expect(field).toMatch(/^[a-z][A-Za-z]*$/);
      expect(description, `${name}.${field}`).toMatch(/^\S.{9,199}$/);
      expect(type === 'array' ? items?.type : type, `${name}.${field} is a plain value or a list of them`).toSatisfy((word) =>
        PLAIN.includes(String(word)),
      );
      expect(Object.keys(more).filter((key) => ['anyOf', 'oneOf', 'allOf', 'nullable', '$ref'].includes(key))).toEqual([]);
    }
  });

  it('answers with an object that may grow', () => {
    expect(Schema.parse(z.toJSONSchema(tool.output, { io: 'output' })).additionalProperties).toEqual({});
  });

  it('has an effect and errors that the tables know', () => {
    expect(Object.keys(EFFECTS)).toContain(tool.effect);
    expect(Object.keys(ERRORS)).toEqual(expect.arrayContaining([...tool.fails]));
    expect(new Set(tool.fails).size).toBe(tool.fails.length);
    expect(tool.fails).toContain('WORKSPACE_MISSING');
  });

  it('has examples that are valid, and arguments for the command line that exist', () => {
    expect(tool.examples.length).toBeGreaterThan(0);
    for (const example of tool.examples) expect(tool.input.safeParse(example).error).toBeUndefined();
    expect(Object.keys(tool.input.shape)).toEqual(expect.arrayContaining([...tool.positional]));
  });

  it('shows rows that its answer has', () => {
    const { properties } = Schema.parse(z.toJSONSchema(tool.output, { io: 'output' }));
    for (const { rows } of tool.tables) expect(Object.keys(properties)).toContain(rows);
  });

  it('has its contract committed as it is', async () => {
    const committed: unknown = JSON.parse(await readFile(path.join(PROJECT, 'docs', 'schemas', `${name}.json`), 'utf8'));
    expect(z.toJSONSchema(tool.input, { io: 'input' })).toEqual(committed);
    expect(committed).toMatchObject(inputSchema(tool));
  });
});

describe('the tools together', () => {
  it('have names of their own, old names included', () => {
    const names = [...TOOLS, ...ALIASES].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('are what the old names point to, with arguments that exist', () => {
    for (const { name, tool, fixed } of ALIASES) {
      const found = toolNamed(name)?.tool;
      expect(found?.name).toBe(tool);
      expect(Object.keys(found?.input.shape ?? {})).toEqual(expect.arrayContaining(Object.keys(fixed)));
      expect(found?.input.partial().safeParse(fixed).error).toBeUndefined();
    }
  });

  it('that are listed by default leave a model room for its work', () => {
    const { tools, total } = tokensOf(['core']);
    expect(tools.map(({ name }) => name)).toContain('session_run');
    expect(total).toBeLessThanOrEqual(TOKEN_BUDGET);
    for (const { name, tokens } of tools) expect(tokens, name).toBeLessThanOrEqual(MOST_TOKENS_OF_ONE);
  });

  it('are explained by instructions of at most 2 KB, with the steps in the first 500 characters', () => {
    expect(Buffer.byteLength(INSTRUCTIONS)).toBeLessThanOrEqual(2048);
    for (const step of ['session_start', 'session_wait', 'session_logs']) expect(INSTRUCTIONS.slice(0, 500)).toContain(step);
    for (const [word] of INSTRUCTIONS.matchAll(/\b(?:session|queue|task|event|request|prompt)_[a-z]+\b/g))
      expect(toolNamed(word)?.tool.name).toBe(word);
  });

  it('name in their texts only tools that exist', () => {
    const texts = [
      ...TOOLS.flatMap((tool) => [
        tool.description,
        ...Object.values(inputOf(tool).properties).map(({ description = '' }) => description),
      ]),
      ...RESOURCES.map(({ description }) => description),
      ...Object.values(ERRORS).map(({ hint }) => hint),
    ];
    const words = texts.flatMap((text) => text.match(/\b(?:session|queue|task|event|request|prompt)_[a-z]+\b/g) ?? []);
    expect(words.length).toBeGreaterThan(5);
    expect(words.filter((word) => toolNamed(word) === undefined)).toEqual([]);
  });
});

describe('what is told without being asked for', () => {
  const isListed = (name: string) => toolNamed(name)?.tool.toolset === 'core';
  const others = (text: string) =>
    TOOLS.map(({ name }) => name).filter((name) => !isListed(name) && new RegExp(`\\b${name}\\b`).test(text));

  it.each(TOOLS.filter(({ name }) => isListed(name)).map((tool) => [tool.name, tool] as const))(
    '%s names only tools that are listed by default',
    (_name, tool) => {
      const io = ['input', 'output'] as const;
      const texts = [tool.description, ...io.map((side) => JSON.stringify(z.toJSONSchema(tool[side], { io: side })))];
      expect(texts.flatMap(others)).toEqual([]);
    },
  );

  it('names only such tools in resources, instructions and what to do about an error that they may meet', () => {
    expect([INSTRUCTIONS, ...RESOURCES.map(({ description }) => description)].flatMap(others)).toEqual([]);
    const strange = Object.entries(ERRORS).filter(([, { hint }]) => others(hint).length > 0);
    for (const [code] of strange)
      expect(
        TOOLS.filter(({ fails }) => fails.some((one) => one === code)).filter(({ name }) => isListed(name)),
        code,
      ).toEqual([]);
  });
});

describe.each(RESOURCES.map((resource) => [resource.name, resource] as const))('the resource %s', (name, resource) => {
  it('has a name, a title, a type and a description that can be read', () => {
    expect(name).toMatch(/^[a-z]+(?:-[a-z]+)*$/);
    expect(resource.title).toMatch(/^[A-Z].{3,39}$/);
    expect(resource.description).toMatch(/^\S.{29,299}\.$/);
    expect(['application/json', 'text/plain', 'text/markdown']).toContain(resource.mimeType);
    expect(resource.description).not.toMatch(/important/i);
  });

  it('is found by its own address alone', () => {
    const uri = resource.uriTemplate.replace(/\{\w+\}/g, 'a-b');
    expect(uri).toMatch(/^[a-z]+:\/\/[a-z/-]+$/);
    expect(RESOURCES.filter(({ uriTemplate }) => variablesOf(uriTemplate, uri) !== undefined)).toEqual([resource]);
  });
});

describe('the errors', () => {
  it.each(Object.entries(ERRORS))('%s says what to do next', (_code, { hint }) => {
    expect(hint).toMatch(/^[A-Z`].{19,199}\.$/);
  });
});
