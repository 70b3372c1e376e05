// A JSON Schema as it is checked: nothing that it says is passed over in silence, and checking data against it ends soon.
//
// The converter of zod passes over `required` names that `properties` lacks and constraints without a `type`, takes a missing value for its
// `default`, and finds no object equal to another. Regular expressions and references to itself could keep the hub busy for ever: both are refused, and what the references add up to
// is limited.
import { fail } from './errors.ts';

/** How many levels a schema, or data, may have. */
const MOST_LEVELS = 64;
/** How many schemas one may come to when all references are followed. */
const MOST_SCHEMAS = 2000;

const VALUES = ['enum', 'const'];
const ANNOTATIONS = ['default', 'examples'];
const MAPS = ['properties', '$defs', 'definitions'];
const PATTERNS = ['pattern', 'patternProperties'];
const NEED_TYPE = ['minimum', 'maximum', 'multipleOf', 'minLength', 'maxLength', 'format', 'items', 'minItems', 'maxItems'];

type Fields = Readonly<Record<string, unknown>>;

/** The schema with all that it says said outright. Fails with INVALID_INPUT on what is refused. */
export function strictSchema(schema: Fields): Fields {
  if (isTooDeep(schema)) refuse(`has more than ${MOST_LEVELS} levels`);
  const strict = fieldsOf(strictOf(schema));
  if (sizeOf(strict, definitionsOf(strict), new Map()) > MOST_SCHEMAS)
    refuse(`comes to more than ${MOST_SCHEMAS} schemas when all references are followed`);
  return strict;
}

/** True for data with more levels than are kept: whoever reads it by recursion would run out of stack. */
export function isTooDeep(value: unknown, levels = MOST_LEVELS): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isTooDeep(inner, levels - 1));
}

function strictOf(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strictOf);
  if (typeof schema !== 'object' || schema === null) return schema;
  const pattern = PATTERNS.find((key) => key in schema);
  if (pattern !== undefined) refuse(`uses \`${pattern}\`, which could take for ever to check; use \`enum\` or \`format\``);
  const fields = Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => !ANNOTATIONS.includes(key))
      .map(([key, value]) => [key, VALUES.includes(key) ? value : MAPS.includes(key) ? mapped(value) : strictOf(value)]),
  );
  if (isTooDeep([fields.const], 1) || isTooDeep(fields.enum, 1))
    refuse('has an object or a list among the values of `enum` or `const`; describe it instead');
  const needs = NEED_TYPE.find((key) => key in fields);
  if (needs && fields.type === undefined) refuse(`says \`${needs}\` without a \`type\``);
  const required = Array.isArray(fields.required) ? fields.required.map(String) : [];
  if (!('properties' in fields) && required.length === 0) return fields;
  const properties = { ...Object.fromEntries(required.map((name) => [name, {}])), ...fieldsOf(fields.properties) };
  return { ...fields, type: fields.type ?? 'object', properties };
}

function mapped(value: unknown): unknown {
  return Object.fromEntries(Object.entries(fieldsOf(value)).map(([name, schema]) => [name, strictOf(schema)]));
}

/** How many schemas this comes to, every reference counted as what it leads to. */
function sizeOf(value: unknown, definitions: Fields, known: Map<string, number | 'open'>): number {
  if (typeof value !== 'object' || value === null) return 0;
  const ref = '$ref' in value && typeof value.$ref === 'string' ? value.$ref : undefined;
  const inner = Object.entries(value).filter(([key]) => key !== '$defs' && key !== 'definitions');
  const own = inner.reduce((sum, [, each]) => sum + sizeOf(each, definitions, known), 1);
  return ref === undefined ? own : own + sizeOfRef(ref, definitions, known);
}

function sizeOfRef(ref: string, definitions: Fields, known: Map<string, number | 'open'>): number {
  const name = /^#\/(?:\$defs|definitions)\/([^/]+)$/.exec(ref)?.[1]?.replaceAll('~1', '/').replaceAll('~0', '~');
  if (name === undefined || !Object.hasOwn(definitions, name))
    return refuse(`refers to "${ref.slice(0, 100)}", which is not among its \`$defs\``);
  const before = known.get(name);
  if (before === 'open') refuse(`refers to itself by "${ref.slice(0, 100)}"`);
  if (typeof before === 'number') return before;
  known.set(name, 'open');
  const size = sizeOf(definitions[name], definitions, known);
  known.set(name, size);
  return size;
}

function definitionsOf({ $defs, definitions }: Fields): Fields {
  return fieldsOf($defs ?? definitions);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function refuse(what: string): never {
  return fail('INVALID_INPUT', `The resultSchema ${what}.`);
}
