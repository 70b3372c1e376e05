// `sc doctor`: what this machine and this workspace have and lack, each with how to get it. Starts and changes nothing; `--repair --yes` mends the journal.
import { statfs } from 'node:fs/promises';
import type { AgentEntry } from '../core/agent.ts';
import type { Config } from '../core/config.ts';
import { fail, ScopecraftError } from '../core/errors.ts';
import { bytesOf, sizeText } from '../core/size.ts';
import { forgottenText } from '../core/task.ts';
import { createRuleBook } from '../prompts/library.ts';
import { locateProgram } from '../runners/locate-program.ts';
import { systemClock } from '../server/clock.ts';
import { readEnvironment } from '../server/config.ts';
import { openSettings } from '../server/settings.ts';
import { findWorkspace, stateDirOf } from '../server/workspace.ts';
import { planRepair } from '../storage/embedded/journal-repair.ts';
import { createRuleFiles } from '../storage/rule-files.ts';
import { createTaskFiles } from '../storage/task-files.ts';
import { tasksWithSessions } from '../storage/tasks-with-sessions.ts';
import { connectClient, workspaceOf } from './client.ts';
import { localOptions } from './local-options.ts';
import { repairWorkspace } from './repair.ts';

interface Finding {
  readonly what: string;
  readonly state: 'ok' | 'warning' | 'missing';
  readonly says: string;
}

const OWN_FLAGS: readonly string[] = ['--repair', '--yes'];

/** Exit code 1 when something is missing that is needed, or is to be repaired. */
export async function doctor(args: readonly string[], print: (text: string) => void): Promise<number> {
  const options = localOptions(
    'doctor',
    args.filter((arg) => !OWN_FLAGS.includes(arg)),
    print,
  );
  if (!options) return 0;
  const environment = readEnvironment();
  if (args.includes('--repair'))
    return repairWorkspace(
      { workspace: workspaceOf(options.workspace), isMeant: args.includes('--yes'), json: options.json },
      print,
    );
  if (args.includes('--yes')) fail('INVALID_INPUT', '"--yes" goes with "--repair".');
  const workspace = findWorkspace({ flag: options.workspace, environment, cwd: process.cwd() });
  const settings = await openSettings({ workspace, configFolder: environment.configFolder });
  const findings = [
    node(),
    workspace === undefined
      ? ({
          what: 'workspace',
          state: 'missing',
          says: 'None here. Go to a project folder and make a folder `.tasks` in it, or set SCOPECRAFT_WORKSPACE.',
        } as const)
      : ({ what: 'workspace', state: 'ok', says: workspace } as const),
    ...settings.problems().map((says) => ({ what: 'config', state: 'missing', says }) as const),
    ...settings.notes().map((says) => ({ what: 'config', state: 'warning', says }) as const),
    ...Object.entries(settings.current().agents).map(([name, agent]) => agentFinding(name, agent, environment.all.PATH ?? '')),
    program('git', 'needed for worktrees: install git', environment.all.PATH ?? ''),
    program('tmux', 'needed for interactive sessions: install tmux 3.2 or newer', environment.all.PATH ?? ''),
    ...(workspace === undefined
      ? []
      : [
          await tasksFinding(workspace, settings.current().workspace.taskFolders),
          await rulesFinding(workspace),
          await hubFinding(workspace),
          ...(await stateFindings(workspace, settings.current())),
        ]),
  ];
  if (options.json) print(JSON.stringify({ findings }, null, 2));
  else
    for (const { what, state, says } of findings)
      print(`${{ ok: '✓', warning: '!', missing: '✗' }[state]} ${what.padEnd(12)} ${says}`);
  return findings.some(({ state }) => state === 'missing') ? 1 : 0;
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const enough = major > 20 || (major === 20 && minor >= 19);
  return enough
    ? { what: 'node', state: 'ok', says: process.version }
    : { what: 'node', state: 'missing', says: `${process.version}; 20.19 or newer is needed` };
}

function agentFinding(
  name: string,
  { kind, command = kind === 'claude' ? 'claude' : undefined }: AgentEntry,
  searchPath: string,
): Finding {
  if (kind === 'demo') return { what: `agent ${name}`, state: 'ok', says: 'built in' };
  if (command === undefined)
    return { what: `agent ${name}`, state: 'warning', says: 'its entry names no `command`, so it cannot be started' };
  const found = locateProgram(command, searchPath);
  const how =
    command === 'claude'
      ? 'npm install -g @anthropic-ai/claude-code, then run `claude` once to sign in'
      : `install ${command} or put it on PATH`;
  return found
    ? { what: `agent ${name}`, state: 'ok', says: found }
    : { what: `agent ${name}`, state: 'warning', says: `${command} is not on PATH: ${how}` };
}

function program(name: string, how: string, searchPath: string): Finding {
  const found = locateProgram(name, searchPath);
  return found ? { what: name, state: 'ok', says: found } : { what: name, state: 'warning', says: `not on PATH; ${how}` };
}

async function tasksFinding(workspace: string, folders: readonly string[]): Promise<Finding> {
  const tasks = await createTaskFiles({ workspace, folders });
  const count = (await tasks.list()).length;
  const problems = await tasks.problems();
  if (problems.length > 0)
    return {
      what: 'tasks',
      state: 'warning',
      says: `${count} can be read, ${problems.length} cannot: ${problems.map(({ message }) => message).join(' ')}`,
    };
  return { what: 'tasks', state: 'ok', says: `${count} in ${folders.join(', ')}` };
}

async function rulesFinding(workspace: string): Promise<Finding> {
  const rules = createRuleBook({ files: createRuleFiles(workspace), clock: systemClock, onError: () => {} });
  await rules.refresh();
  const problems = rules.problems();
  const own = rules.list().filter(({ file }) => file !== undefined).length;
  if (problems.length === 0) return { what: 'rules', state: 'ok', says: `${own} of this workspace` };
  const told = problems.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`).join(' ');
  return { what: 'rules', state: 'warning', says: `${own} can be read; skipped: ${told}` };
}

/** The journal and the snapshot, and the disk they are on. */
async function stateFindings(workspace: string, { storage, workspace: { taskFolders } }: Config): Promise<readonly Finding[]> {
  const stateDir = stateDirOf(workspace);
  const least = bytesOf(storage.minFreeDisk);
  const free = await statfs(stateDir).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => Number.POSITIVE_INFINITY,
  );
  const disk: Finding[] =
    free < least
      ? [
          {
            what: 'disk',
            state: 'warning',
            says: `only ${sizeText(free)} free; nothing new is taken below ${sizeText(least)} (storage.minFreeDisk)`,
          },
        ]
      : [];
  try {
    // a hub that works meanwhile may trim what is just being read
    const { problems, check } = await planRepair(stateDir).catch(() => planRepair(stateDir));
    const some =
      check.events === 1 ? `1 event, number ${check.first}` : `${check.events} events, ${check.first} to ${check.last}`;
    const says = check.events === 0 ? 'no event yet' : some;
    if (problems.length === 0) {
      const forgotten =
        check.events === 0 ? (await tasksWithSessions(await createTaskFiles({ workspace, folders: taskFolders }))).length : 0;
      return [
        ...disk,
        forgotten === 0
          ? { what: 'journal', state: 'ok', says }
          : { what: 'journal', state: 'warning', says: forgottenText(forgotten) },
      ];
    }
    return [
      ...disk,
      {
        what: 'journal',
        state: 'missing',
        says: `${problems.join(' ')} The hub does not start on it; \`sc doctor --repair\` shows what a repair would lose`,
      },
    ];
  } catch (error) {
    return [...disk, { what: 'journal', state: 'missing', says: error instanceof Error ? error.message : String(error) }];
  }
}

async function hubFinding(workspace: string): Promise<Finding> {
  try {
    const client = await connectClient({ workspace, start: false });
    await client.close();
    return { what: 'hub', state: 'ok', says: `runs (pid ${client.hub.pid}, version ${client.hub.version})` };
  } catch (error) {
    if (error instanceof ScopecraftError && error.message.startsWith('No hub runs'))
      return { what: 'hub', state: 'ok', says: 'not running; it starts when it is needed' };
    return { what: 'hub', state: 'missing', says: error instanceof Error ? error.message : String(error) };
  }
}
