// Settings that may be changed while the hub runs: limits and policies, never what is run. Changes are facts of the ledger.
import { z } from 'zod';
import { Config } from './config.ts';
import { fail, nearest } from './errors.ts';
import { isRecord } from './json.ts';
import { problemText } from './problem-text.ts';

/** Groups of the config whose settings may be changed by a call; agents and workspace may not: they say what is run. */
const GROUPS = ['resources', 'queue', 'delegation', 'budget', 'cleanup', 'events', 'storage'] as const;
const ALSO = ['server.idleExitMs'];

/** Path of a setting, such as `resources.maxConcurrentSessions` → its value. */
export type Overrides = Readonly<Record<string, unknown>>;

const Node = z.looseObject({ properties: z.record(z.string(), z.unknown()).optional(), description: z.string().default('') });

let found: ReadonlyMap<string, string> | undefined;

/** Path → sentence of every setting that may be changed. Found when first asked for: the start of a hub need not wait for it. */
export function tunable(): ReadonlyMap<string, string> {
  found ??= new Map(leavesOf(z.toJSONSchema(Config, { io: 'input' }), '').filter(([path]) => isTunable(path)));
  return found;
}

/** The config with the overrides over it. Fails with INVALID_INPUT where they do not fit. */
export function tuned(config: Config, overrides: Overrides): Config {
  const changed: Record<string, unknown> = structuredClone(config);
  for (const [path, value] of Object.entries(overrides)) put(changed, path.split('.'), fitting(settingAt(config, path), value));
  const parsed = Config.safeParse(changed, { reportInput: true });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => problemText(issue, `"${issue.path.map(String).join('.')}"`));
  return fail('INVALID_INPUT', problems.join(' '), { problems });
}

/** `path=value` as a setting and its value: JSON where it is JSON, else the text itself. Fails with INVALID_INPUT. */
export function parseTuning(text: string): readonly [path: string, value: unknown] {
  const at = text.indexOf('=');
  if (at < 1) fail('INVALID_INPUT', `"${text}" is not of the form path=value, such as resources.maxConcurrentSessions=5.`);
  const path = knownPath(text.slice(0, at).trim());
  const raw = text.slice(at + 1).trim();
  try {
    return [path, JSON.parse(raw)];
  } catch {
    return [path, raw];
  }
}

/** The path, when it may be changed. Fails with INVALID_INPUT. */
export function knownPath(path: string): string {
  if (tunable().has(path)) return path;
  const near = nearest(path, [...tunable().keys()]);
  return fail(
    'INVALID_INPUT',
    `"${path}" is no setting that can be changed while the hub runs.${near ? ` Did you mean "${near}"?` : ''}`,
  );
}

/** The value at a path of the config. */
export function settingAt(config: Config, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, name) => (typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined),
      config,
    );
}

/** A number where the setting is text, such as the size 0, is that text: a call reads it as JSON. */
function fitting(before: unknown, value: unknown): unknown {
  return typeof before === 'string' && typeof value === 'number' ? String(value) : value;
}

function isTunable(path: string): boolean {
  return GROUPS.some((group) => path.startsWith(`${group}.`)) || ALSO.includes(path);
}

function leavesOf(schema: unknown, path: string): [string, string][] {
  const { properties, description } = Node.parse(schema);
  if (!properties) return [[path, description]];
  return Object.entries(properties).flatMap(([name, inner]) => leavesOf(inner, path ? `${path}.${name}` : name));
}

function put(target: Record<string, unknown>, [name = '', ...rest]: readonly string[], value: unknown): void {
  const inner = target[name];
  if (rest.length > 0 && typeof inner === 'object' && inner !== null) target[name] = { ...inner };
  const next = target[name];
  if (rest.length === 0) target[name] = value;
  else if (isRecord(next)) put(next, rest, value);
}
