// Every wrong call through a real door fails with an error that its tool names, or with INVALID_INPUT.
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { toolsOfRole } from '../../core/access.ts';
import { ERRORS, type ErrorCode } from '../../core/errors.ts';
import { SESSION_TOOLS } from '../../server/listing.ts';
import type { Tool } from '../../tools/define.ts';
import { TOOLS } from '../../tools/index.ts';
import { running } from '../core/talk-rig.ts';
import { connect, type TestClient, ToolFailure } from '../support/clients.ts';
import { makeEngine } from '../support/engine.ts';
import { type Access, connectHttp } from '../support/http-clients.ts';
import { openTestDoor } from '../support/http-door.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

/** What a door offers; tools for sessions alone are refused before their arguments are looked at. */
const OFFERED = TOOLS.filter(({ toolset }) => toolset !== 'session');
/** Those that page, and the argument with which they do. */
const PAGED = OFFERED.flatMap((tool) => {
  const [place] = ['cursor', 'after'].filter((name) => name in tool.input.shape);
  return place === undefined ? [] : [{ tool, place }];
});
const TASKS = { 'fix-login': '# Fix the login\n\n@@say It is fixed.\n', hang: '# Hang\n\n@@hang\n' };

let workspace: Workspace;
let client: TestClient;
let sessionId: string;

beforeAll(async () => {
  workspace = await makeWorkspace({ tasks: TASKS, userConfig: { defaultAgent: 'demo' } });
  await putRule(workspace, 'broken', '---\npriority: [unclosed\n---\nSay it.\n');
  client = await connect('modern', { env: workspace.env, cwd: workspace.path });
  sessionId = idOf(await client.call('session_start', { taskId: 'fix-login' }));
});

afterAll(async () => {
  await client?.call('session_wait', { sessionIds: [sessionId] });
  await client?.close();
  await workspace?.close();
});

const idOf = (answer: unknown) => z.looseObject({ id: z.string() }).parse(answer).id;

async function putRule({ path: root }: Workspace, id: string, text: string): Promise<void> {
  const folder = path.join(root, '.scopecraft', 'prompts');
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, `${id}.md`), text);
}

/** The tools that name an error. */
const naming = (code: ErrorCode) => TOOLS.filter(({ fails }) => fails.includes(code)).map(({ name }) => name);

/** Arguments with the session that was started for them. */
function filled(args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return z.record(z.string(), z.unknown()).parse(JSON.parse(JSON.stringify(args).replaceAll('{{session}}', sessionId)));
}

type Calling = Pick<TestClient, 'call'>;

/** The code a call fails with, which its tool must name. */
async function failureOf(tool: Tool, args: Readonly<Record<string, unknown>>, by: Calling = client): Promise<string> {
  const answer: unknown = await by.call(tool.name, args).catch((error: unknown) => error);
  if (!(answer instanceof ToolFailure)) throw new Error(`${tool.name} was not refused: ${JSON.stringify(answer)}`);
  expect(['INVALID_INPUT', ...tool.fails], `${tool.name} names ${answer.code}`).toContain(answer.code);
  expect(answer.body).toMatchObject(Object.entries(ERRORS).find(([code]) => code === answer.code)?.[1] ?? {});
  return answer.code;
}

function toolOf(name: string): Tool {
  const tool = TOOLS.find((one) => one.name === name);
  if (!tool) throw new Error(`There is no tool ${name}.`);
  return tool;
}

const WRONG: readonly (readonly [string, Readonly<Record<string, unknown>>, string])[] = [
  ...OFFERED.map(({ name }) => [name, { notAnArgument: 1 }, 'INVALID_INPUT'] as const),
  ...PAGED.map(({ tool, place }) => [tool.name, { ...tool.examples[0], [place]: '!' }, 'CURSOR_INVALID'] as const),
  ['session_start', { taskId: 'nothing' }, 'TASK_NOT_FOUND'],
  ['session_start', { taskId: '../up' }, 'PATH_OUTSIDE'],
  ['session_start', { taskId: 'fix-login', cwd: '/etc' }, 'PATH_OUTSIDE'],
  ['session_start', { prompt: ' ' }, 'PROMPT_EMPTY'],
  ['session_start', { prompt: 'x'.repeat(300_000) }, 'PROMPT_TOO_LARGE'],
  ['session_start', { taskId: 'fix-login', agent: 'nobody' }, 'AGENT_UNKNOWN'],
  ['session_start', { taskId: 'fix-login', parentId: 'nobody' }, 'SESSION_NOT_FOUND'],
  ['session_start', { taskId: 'fix-login', rule: 'broken' }, 'RULE_INVALID'],
  ['session_wait', { sessionIds: ['nobody'] }, 'SESSION_NOT_FOUND'],
  ['session_wait', { sessionIds: [] }, 'INVALID_INPUT'],
  ['session_get', { sessionId: 'nobody' }, 'SESSION_NOT_FOUND'],
  ['session_get', {}, 'INVALID_INPUT'],
  ['session_logs', { sessionId: 'nobody' }, 'SESSION_NOT_FOUND'],
  ['session_logs', { sessionId: '{{session}}', kinds: ['nonsense'] }, 'INVALID_INPUT'],
  ['session_list', { since: 'soon' }, 'INVALID_INPUT'],
  ['session_cancel', { sessionId: 'nobody' }, 'SESSION_NOT_FOUND'],
  ['queue_move', { sessionId: 'nobody', place: 1 }, 'SESSION_NOT_FOUND'],
  ['queue_move', { sessionId: '{{session}}', place: 1 }, 'NOT_QUEUED'],
  ['queue_move', { sessionId: '{{session}}' }, 'INVALID_INPUT'],
  ['task_list', { limit: 0 }, 'INVALID_INPUT'],
  ['session_prompt', { sessionId: 'nobody', prompt: 'x' }, 'SESSION_NOT_FOUND'],
  ['session_prompt', { sessionId: '{{session}}', prompt: ' ' }, 'PROMPT_EMPTY'],
  ['session_prompt', { sessionId: '{{session}}', prompt: 'x'.repeat(300_000) }, 'PROMPT_TOO_LARGE'],
  ['session_prompt', { sessionId: '{{session}}', rule: 'broken' }, 'RULE_INVALID'],
  ['prompt_preview', { taskId: 'fix-login', rule: 'broken' }, 'RULE_INVALID'],
  ['prompt_preview', { taskId: 'fix-login', rule: 'nothing' }, 'RULE_NOT_FOUND'],
  ['prompt_get', { name: 'start_task', arguments: ['taskId=fix-login', 'rule=broken'] }, 'RULE_INVALID'],
  ['prompt_get', { name: 'nothing' }, 'RULE_NOT_FOUND'],
  ['session_attach', { sessionId: 'nobody' }, 'SESSION_NOT_FOUND'],
  ['session_attach', { sessionId: '{{session}}' }, 'TERMINAL_MISSING'],
  ['request_list', { sessionId: 'nobody' }, 'SESSION_NOT_FOUND'],
  ['request_answer', { requestId: 'nobody', decision: 'allow' }, 'REQUEST_NOT_FOUND'],
  ['request_answer', { requestId: 'nobody', decision: 'perhaps' }, 'INVALID_INPUT'],
  ['worktree_remove', { sessionId: 'nobody' }, 'SESSION_NOT_FOUND'],
  ['queue_status', { type: 'nonsense' }, 'INVALID_INPUT'],
];

describe('a wrong call', () => {
  it('with a cursor is one of a tool that pages, and all of them say so', () => {
    expect(naming('CURSOR_INVALID')).toEqual(PAGED.map(({ tool }) => tool.name));
  });

  it.each(WRONG)('of %s with %j fails with an error that the tool names: %s', async (name, args, code) => {
    expect(await failureOf(toolOf(name), filled(args))).toBe(code);
  });

  it('where there is no workspace fails so in every tool', async () => {
    const nowhere = await connect('modern', { env: workspace.env, cwd: '/' });
    try {
      for (const tool of OFFERED)
        expect(await failureOf(tool, filled(tool.examples[0] ?? {}), nowhere)).toBe('WORKSPACE_MISSING');
    } finally {
      await nowhere.close();
    }
  });

  it('that finds no room, a broken config, a used key or a broken file fails with a named error too', async () => {
    const start = toolOf('session_start');
    const unclosed = '# Broken\n\n---\ntype: [unclosed\n---\n';
    const limits = { maxConcurrentSessions: 1, maxQueueSize: 1 };
    const small = await makeWorkspace({
      tasks: { ...TASKS, broken: unclosed },
      userConfig: { defaultAgent: 'demo', resources: limits },
      config: { agents: { evil: { kind: 'command', command: 'true' } } },
    });
    const door = await connect('modern', { env: small.env, cwd: small.path });
    const config = path.join(small.env.XDG_CONFIG_HOME ?? '', 'scopecraft', 'config.json');
    try {
      expect(await failureOf(start, { taskId: 'broken' }, door)).toBe('TASK_UNREADABLE');
      expect(await failureOf(start, { taskId: 'hang', agent: 'evil' }, door)).toBe('CONFIG_UNTRUSTED');
      const first = idOf(await door.call('session_start', { taskId: 'hang', requestKey: 'one' }));
      expect(await failureOf(start, { taskId: 'fix-login', requestKey: 'one' }, door)).toBe('REQUEST_KEY_REUSED');
      expect(await failureOf(start, { taskId: 'hang', queue: false }, door)).toBe('NO_SLOT');
      const second = idOf(await door.call('session_start', { taskId: 'hang' }));
      expect(await failureOf(start, { taskId: 'hang' }, door)).toBe('QUEUE_FULL');
      await writeFile(
        config,
        '{ "defaultAgent": "gone", "agents": { "gone": { "kind": "command", "command": "no-such-program" } } }',
      );
      for (const sessionId of [second, first]) await door.call('session_cancel', { sessionId });
      await door.call('session_wait', { sessionIds: [first, second], until: 'all' });
      expect(await failureOf(start, { taskId: 'hang' }, door)).toBe('AGENT_MISSING');
      await putRule(small, 'nudge', '---\nmoments: [continue]\n---\nGo on.\n');
      const [file, nudge] = [await small.taskFile('hang'), { sessionId: first, rule: 'nudge' }];
      await writeFile(file, unclosed);
      expect(await failureOf(toolOf('session_prompt'), nudge, door)).toBe('TASK_UNREADABLE');
      await rm(file);
      await symlink('/etc/hostname', file);
      expect(await failureOf(toolOf('session_prompt'), nudge, door)).toBe('PATH_OUTSIDE');
      await writeFile(config, '{ "defaultAgnt": 1 }');
      expect(await failureOf(start, { taskId: 'hang' }, door)).toBe('CONFIG_INVALID');
    } finally {
      await door.close();
      await small.close();
    }
  });
});

/** The arguments that say which session a tool is about, all with this one. */
function about({ input }: Tool, id: string): Record<string, unknown> {
  const ways = { sessionId: id, sessionIds: [id], requestId: `${id}.1` };
  return Object.fromEntries(Object.entries(ways).filter(([name]) => name in input.shape));
}

describe('a call about a session that its caller has nothing to do with', () => {
  /** What the tools of that list which are about a session answer to somebody with that access. */
  async function codesOf(names: readonly string[], access: Access, other: string): Promise<Readonly<Record<string, string>>> {
    const by = await connectHttp('modern', access);
    try {
      const codes: Record<string, string> = {};
      for (const tool of names.map(toolOf).filter((one) => Object.keys(about(one, other)).length > 0))
        codes[tool.name] = await failureOf(tool, { ...tool.examples[0], ...about(tool, other) }, by);
      return codes;
    } finally {
      await by.close();
    }
  }

  it('fails in every tool of a run with OUTSIDE_TREE, in every one of a guest with NOT_SHARED, and they name it and no others', async () => {
    const engine = await makeEngine();
    const door = await openTestDoor(engine);
    try {
      const [own, other] = [await running(engine), await running(engine)];
      engine.orchestrator.ask(other, { kind: 'question', text: 'May I?' }).catch(() => undefined);
      await engine.settle();
      const all = (code: ErrorCode) => Object.fromEntries(naming(code).map((name) => [name, code]));
      expect(await codesOf(SESSION_TOOLS, door.run(own), other)).toEqual(all('OUTSIDE_TREE'));
      expect(await codesOf(toolsOfRole('prompt'), await door.guest(own, 'prompt'), other)).toEqual(all('NOT_SHARED'));
    } finally {
      await door.close();
      engine.kill();
    }
  });
});
