// A workspace with a user of its own in a temporary folder, and the certain end of everything that was started in it.
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { claudeVariables, closeRoot, writeClaudeConfig } from './claude.ts';
import { endProcesses, killProcesses, type MarkedProcess, processesMarked } from './processes.ts';
import { type Environment, environmentOf, homeBelow, makeRoot } from './project.ts';

export interface WorkspaceOptions {
  /** Task files: by id (`fix-login` becomes `.tasks/fix-login.md`) or by path below `.tasks` when the name ends in `.md`. */
  readonly tasks?: Readonly<Record<string, string>>;
  /** `.scopecraft/config.json` of the workspace. It is not trusted until `sc trust` says so. */
  readonly config?: unknown;
  /** `scopecraft/config.json` of the user. */
  readonly userConfig?: unknown;
  /** Makes the workspace a git repository with one commit. */
  readonly git?: boolean;
  /** Where the stub model listens: then `claude` works in this workspace. */
  readonly modelUrl?: string;
  /** Further variables of the environment. */
  readonly env?: Environment;
}

export interface Workspace {
  /** Folder of everything; its path marks the processes of this workspace. */
  readonly root: string;
  readonly home: string;
  /** The workspace itself. */
  readonly path: string;
  readonly env: Environment;
  /** The text of a task's file. */
  task(id: string): Promise<string>;
  /** Absolute path of a task's file. */
  taskFile(id: string): Promise<string>;
  /** Process of the hub, when one is running. */
  hub(): Promise<MarkedProcess | undefined>;
  /** Ends keeper and hub as an administrator would; sessions live on. */
  endHub(): Promise<void>;
  /** Kills keeper and hub in the midst of what they do. */
  killHub(): Promise<void>;
  /** Ends the hub and removes everything. Rejects when other processes were left, unless `leftovers` is `end`; they are ended in any case. */
  close(options?: { readonly leftovers?: 'refuse' | 'end' }): Promise<void>;
}

/** A new workspace. */
export async function makeWorkspace(options: WorkspaceOptions = {}): Promise<Workspace> {
  const root = await makeRoot();
  const folders = homeBelow(root);
  const workspace = path.join(folders.home, 'w');
  const tasksDir = path.join(workspace, '.tasks');
  for (const folder of [...Object.values(folders), tasksDir]) await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(options.tasks ?? {})) {
    await writeNew(path.join(tasksDir, name.endsWith('.md') ? name : `${name}.md`), text);
  }
  if (options.config !== undefined)
    await writeNew(path.join(workspace, '.scopecraft', 'config.json'), JSON.stringify(options.config));
  await writeNew(path.join(folders.configHome, 'scopecraft', 'config.json'), JSON.stringify(unguarded(options.userConfig)));
  const configDir = path.join(folders.home, '.claude');
  if (options.modelUrl !== undefined) await writeClaudeConfig(configDir, [workspace]);
  const claude = options.modelUrl === undefined ? {} : claudeVariables(options.modelUrl, configDir);
  const env = { ...environmentOf(folders), ...claude, ...options.env };
  if (options.git) await makeRepository(workspace, env);

  const taskFile = async (id: string): Promise<string> => {
    const entries = await readdir(tasksDir, { recursive: true });
    const found = entries.find((entry) =>
      [`${id}.task.md`, `${id}.md`].some((name) => entry === name || entry.endsWith(`/${name}`)),
    );
    if (found === undefined) throw new Error(`There is no file of task "${id}" in ${tasksDir}, only: ${entries.join(', ')}.`);
    return path.join(tasksDir, found);
  };
  const hub = async (): Promise<MarkedProcess | undefined> => {
    const pid = await hubPid(workspace);
    return (await processesMarked(root)).find((entry) => entry.pid === pid);
  };
  // supervisors name the keeper too, as an argument
  const keepers = async (): Promise<readonly MarkedProcess[]> =>
    (await processesMarked(root)).filter(({ command }) => /^\S*sh \S*\/keeper\.sh /.test(command));
  const endHub = async (): Promise<void> => {
    // the keepers first, or they start the hub again
    await endProcesses(await keepers(), root);
    const running = await hub();
    if (running !== undefined) await endProcesses([running], root);
  };
  const killHub = async (): Promise<void> => {
    await killProcesses(await keepers(), root);
    const running = await hub();
    if (running !== undefined) await killProcesses([running], root);
  };
  return {
    root,
    home: folders.home,
    path: workspace,
    env,
    taskFile,
    task: async (id) => readFile(await taskFile(id), 'utf8'),
    hub,
    endHub,
    killHub,
    async close({ leftovers = 'refuse' } = {}) {
      await endHub();
      await closeRoot(root, { expected: leftovers === 'end' });
    },
  };
}

/** The config with the guard off, as far as a test does not ask for it: the machine that runs the tests may be busy. */
function unguarded(config: unknown = {}): unknown {
  const { resources, ...rest } = z.looseObject({ resources: z.looseObject({}).optional() }).parse(config);
  return { ...rest, resources: { maxCpuLoad: 0, minFreeMemory: '0', ...resources } };
}

const HubFile = z.looseObject({ pid: z.number().int().positive() });

/** The pid in the hub's file, which may be that of a dead hub; undefined when there is no such file. */
async function hubPid(workspace: string): Promise<number | undefined> {
  try {
    const text = await readFile(path.join(workspace, '.scopecraft', 'state', 'hub.json'), 'utf8');
    return HubFile.parse(JSON.parse(text)).pid;
  } catch {
    // no hub was ever here, or its file is just being written
    return undefined;
  }
}

async function writeNew(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text, { flag: 'wx' });
}

async function makeRepository(folder: string, env: Environment): Promise<void> {
  const git = (...args: string[]) =>
    promisify(execFile)('git', ['-c', 'user.name=Test', '-c', 'user.email=test@example.invalid', ...args], { cwd: folder, env });
  await git('init', '--quiet', '--initial-branch=main');
  await git('add', '--all');
  await git('commit', '--quiet', '--allow-empty', '--message', 'Start');
}
