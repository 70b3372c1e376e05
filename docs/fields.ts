// The fields of a schema as rows of a table: name, type in words, whether it must be given, description.
import { z } from 'zod';
import { AgentResult, EndCause } from '../core/ending.ts';
import { EventView } from '../core/event-view.ts';
import { ProcessRef } from '../core/session.ts';
import { TaskRow } from '../core/task.ts';
import { SessionView } from '../core/views.ts';
import { code, tableOf } from './markdown.ts';

/** Shapes that are described once and referred to by name. */
const SHAPES = {
  Session: SessionView,
  Task: TaskRow,
  Event: EventView,
  Cause: EndCause,
  Result: AgentResult,
  Process: ProcessRef,
} as const;
export type ShapeName = keyof typeof SHAPES;

export interface Field {
  /** `slots.total` and `entries[].text` where objects lie inside objects. */
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly fallback: unknown;
  readonly description: string;
}

const Node = z.looseObject({
  title: z.string().optional(),
  type: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  items: z.unknown().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  additionalProperties: z.unknown().optional(),
  required: z.array(z.string()).default([]),
  default: z.unknown().optional(),
  description: z.string().default(''),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  maxLength: z.number().optional(),
  minItems: z.number().optional(),
  maxItems: z.number().optional(),
});
type Node = z.infer<typeof Node>;

/** All fields of a schema; objects inside it are laid flat, except those with a name of their own. */
export function fieldsOf(schema: z.ZodType, io: 'input' | 'output'): readonly Field[] {
  const names = new Map<unknown, string>(Object.entries(SHAPES).map(([name, shape]) => [shape, name]));
  names.delete(schema);
  const json = z.toJSONSchema(schema, {
    io,
    override: ({ zodSchema, jsonSchema }) => {
      const name = names.get(zodSchema);
      if (name !== undefined) jsonSchema.title = name;
    },
  });
  return fieldsIn(Node.parse(json), '');
}

/** Name, type and description of what a schema holds. */
export function fieldTable(schema: z.ZodType): string {
  const rows = fieldsOf(schema, 'output').map(({ name, type, isRequired, description }) => [
    code(name),
    isRequired ? type : `${type}, optional`,
    description,
  ]);
  return tableOf(['field', 'type', 'description'], rows);
}

/** The shapes with these names, a section each. */
export function shapeSections(names: readonly ShapeName[]): readonly string[] {
  return names.map((name) => `### ${name}\n\n${fieldTable(SHAPES[name])}`);
}

/** The shape a whole answer is, if it is one. */
export function shapeNameOf(schema: z.ZodType): ShapeName | undefined {
  const known: Readonly<Record<ShapeName, z.ZodType>> = SHAPES;
  return z.enum(['Session', 'Task', 'Event', 'Cause', 'Result', 'Process']).options.find((name) => known[name] === schema);
}

function fieldsIn({ properties = {}, required }: Node, above: string): Field[] {
  return Object.entries(properties).flatMap(([key, value]) => {
    const node = Node.parse(value);
    const name = above + key;
    const field = {
      name,
      type: typeOf(node),
      isRequired: required.includes(key),
      fallback: node.default,
      description: node.description,
    };
    const inner = node.type === 'array' ? Node.parse(node.items ?? {}) : node;
    if (inner.title !== undefined || inner.properties === undefined) return [field];
    const inside = fieldsIn(inner, node.type === 'array' ? `${name}[].` : `${name}.`);
    return node.default !== undefined && node.type === 'object' ? inside : [field, ...inside];
  });
}

function typeOf(node: Node): string {
  if (node.title !== undefined) return `[${node.title}](#${node.title.toLowerCase()})`;
  if (node.enum) return node.enum.map((value) => code(String(value))).join(', ');
  if (node.const !== undefined) return code(String(node.const));
  if (node.type === 'array') return `list of ${typeOf(Node.parse(node.items ?? {}))}${entries(node)}`;
  if (node.type === 'integer') return `whole number${range(node.minimum, node.maximum)}`;
  if (node.type === 'number')
    return `number${node.exclusiveMinimum === undefined ? '' : ` above ${node.exclusiveMinimum}`}${range(node.minimum, node.maximum)}`;
  if (node.type === 'string') return node.maxLength === undefined ? 'text' : `text, at most ${node.maxLength} characters`;
  if (node.type === 'boolean') return '`true` or `false`';
  if (node.type === 'object') return 'object';
  return 'anything';
}

function entries({ minItems, maxItems }: Node): string {
  const said = range(minItems, maxItems).slice(', '.length);
  return said === '' ? '' : ` (${said})`;
}

function range(least: number | undefined, most: number | undefined): string {
  const low = least === undefined || least === Number.MIN_SAFE_INTEGER ? undefined : least;
  const high = most === undefined || most === Number.MAX_SAFE_INTEGER ? undefined : most;
  if (low !== undefined && high !== undefined) return `, ${low} to ${high}`;
  if (low !== undefined) return `, at least ${low}`;
  return high === undefined ? '' : `, at most ${high}`;
}
