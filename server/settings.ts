// The settings as files say them: defaults, then the user's config, then the workspace's as far as it is trusted.
// A workspace config that was not trusted may only lower limits: a cloned repository must not be able to run anything.
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { type AgentEntry, BUILT_IN_AGENTS } from '../core/agent.ts';
import { Config, NARROWING } from '../core/config.ts';
import { nearest } from '../core/errors.ts';
import { isRecord } from '../core/json.ts';
import type { Settings } from '../core/ports.ts';
import { type Overrides, tuned } from '../core/tuning.ts';
import { writeAtomic } from '../storage/atomic-write.ts';
import { errnoOf } from '../storage/errno.ts';
import { sharedDeed } from '../storage/shared-deed.ts';

export interface SettingsPlaces {
  /** Absolute path of the workspace; undefined when there is none. */
  readonly workspace: string | undefined;
  /** `$XDG_CONFIG_HOME` or `~/.config`. */
  readonly configFolder: string;
}

const Trusted = z.record(z.string(), z.string());

/** Reads the settings; problems do not stop it, they are kept and told at the next start of a session. */
export async function openSettings(places: SettingsPlaces): Promise<Settings> {
  let state = await load(places);
  let overrides: Overrides = {};
  let config = state.config;
  return {
    current: () => config,
    override(changed) {
      config = tuned(state.config, changed);
      overrides = changed;
    },
    problems: () => state.problems,
    untrustedAgents: () => state.untrustedAgents,
    notes: () => state.notes,
    refresh: sharedDeed(async () => {
      if (stamps(places) === state.stamp) return;
      state = await load(places);
      config = tuned(state.config, overrides);
    }),
  };
}

/** Trusts the workspace config as it is now. Answers the file and its hash, or undefined when there is no file. */
export async function trustWorkspace({
  workspace,
  configFolder,
}: SettingsPlaces): Promise<{ readonly file: string; readonly hash: string } | undefined> {
  const file = workspaceFile(workspace);
  const text = file === undefined ? undefined : await textOf(file);
  if (workspace === undefined || file === undefined || text === undefined) return undefined;
  const hash = hashOf(text);
  await mkdir(path.join(configFolder, 'scopecraft'), { recursive: true, mode: 0o700 });
  await writeAtomic(
    trustFile(configFolder),
    `${JSON.stringify({ ...(await trusted(configFolder)), [workspace]: hash }, null, 2)}\n`,
    0o600,
  );
  return { file, hash };
}

interface Loaded {
  readonly config: Config;
  readonly problems: readonly string[];
  readonly untrustedAgents: readonly string[];
  readonly notes: readonly string[];
  readonly stamp: string;
}

async function load(places: SettingsPlaces): Promise<Loaded> {
  const stamp = stamps(places);
  const problems: string[] = [];
  const user = await readConfig(userFile(places.configFolder), problems);
  const file = workspaceFile(places.workspace);
  const own = file === undefined ? undefined : await readConfig(file, problems);
  const isTrusted = own === undefined || (await trusted(places.configFolder))[places.workspace ?? ''] === own.hash;
  const base = Config.parse(user?.values ?? {});
  const merged =
    own === undefined ? base : isTrusted ? Config.parse(merge(user?.values ?? {}, own.values)) : narrowed(base, own.values);
  const declared = own && !isTrusted ? Object.keys(Config.parse(own.values).agents) : [];
  const config = { ...merged, agents: { ...BUILT_IN_AGENTS, ...merged.agents } satisfies Record<string, AgentEntry> };
  const notes =
    own && !isTrusted
      ? [
          'The workspace config .scopecraft/config.json is not trusted: only lower limits are taken from it. `sc trust` trusts it as it is now.',
        ]
      : [];
  return { config, problems, untrustedAgents: declared, notes, stamp };
}

/** The values of a config file that fit, or undefined when there is no file. Adds what does not fit to `problems` and leaves all of the file out. */
async function readConfig(
  file: string,
  problems: string[],
): Promise<{ readonly values: Readonly<Record<string, unknown>>; readonly hash: string } | undefined> {
  const text = await textOf(file).catch((error: unknown) => {
    problems.push(`${file} cannot be read: ${errnoOf(error) ?? String(error)}.`);
    return undefined;
  });
  if (text === undefined) return undefined;
  const hash = hashOf(text);
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    problems.push(`${file} is not JSON: ${error instanceof Error ? error.message : 'it cannot be parsed'}.`);
    return { values: {}, hash };
  }
  const { $schema: _schema, ...values } = z.record(z.string(), z.unknown()).safeParse(raw).data ?? { '': raw };
  const parsed = Config.safeParse(values);
  if (parsed.success) return { values, hash };
  for (const issue of parsed.error.issues) problems.push(...configProblems(file, issue));
  return { values: {}, hash };
}

function configProblems(file: string, issue: z.core.$ZodIssue): string[] {
  const place = issue.path.map(String).join('.');
  if (issue.code !== 'unrecognized_keys')
    return [`${file}: "${place}" ${issue.message.replace(/^./, (first) => first.toLowerCase())}.`];
  return issue.keys.map((key) => {
    const near = nearest(key, knownKeys(issue.path));
    return `${file}: unknown setting "${place ? `${place}.` : ''}${key}".${near ? ` Did you mean "${near}"?` : ''}`;
  });
}

/** Names of the settings at a place of the config. */
function knownKeys(at: readonly PropertyKey[]): string[] {
  const schema = z.toJSONSchema(Config, { io: 'input' });
  let node: unknown = schema;
  for (const key of at) {
    const { properties, additionalProperties } = Node.parse(node);
    node = properties?.[String(key)] ?? additionalProperties;
  }
  return Object.keys(Node.parse(node).properties ?? {});
}

const Node = z
  .looseObject({ properties: z.record(z.string(), z.unknown()).optional(), additionalProperties: z.unknown().optional() })
  .catch({ additionalProperties: undefined });

/** Only what an untrusted file may do: lower limits. */
function narrowed(base: Config, values: Readonly<Record<string, unknown>>): Config {
  const wanted = Config.parse(values).resources;
  const given = z.record(z.string(), z.unknown()).catch({}).parse(values.resources);
  const resources = { ...base.resources };
  for (const name of NARROWING) if (name in given) resources[name] = Math.min(base.resources[name], wanted[name]);
  return { ...base, resources };
}

function merge(under: Readonly<Record<string, unknown>>, over: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over))
    merged[key] = isRecord(value) && isRecord(merged[key]) ? merge(merged[key], value) : value;
  return merged;
}

/** Workspaces and the hashes of their configs. Where the file cannot be read nothing is trusted, and the next trust makes it anew. */
async function trusted(configFolder: string): Promise<Readonly<Record<string, string>>> {
  try {
    return Trusted.parse(JSON.parse((await textOf(trustFile(configFolder))) ?? '{}'));
  } catch {
    return {};
  }
}

/** Looked at without another thread: each start asks for it. */
function stamps({ workspace, configFolder }: SettingsPlaces): string {
  return [userFile(configFolder), trustFile(configFolder), workspaceFile(workspace)].map(stampOf).join(' ');
}

function stampOf(file: string | undefined): string {
  try {
    const found = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false });
    return found ? `${found.ino}:${found.size}:${found.mtimeMs}` : '-';
  } catch {
    return '-';
  }
}

const userFile = (configFolder: string) => path.join(configFolder, 'scopecraft', 'config.json');
const trustFile = (configFolder: string) => path.join(configFolder, 'scopecraft', 'trusted.json');
const workspaceFile = (workspace: string | undefined) =>
  workspace === undefined ? undefined : path.join(workspace, '.scopecraft', 'config.json');
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');

/** The text of a file, or undefined when there is none. */
async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
