import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentEntry } from '../../core/agent.ts';
import { agentArgv, locateAgent } from '../../runners/agent-argv.ts';
import { openRig, type Rig } from './rig.ts';

let rig: Rig;
const demo = { node: '/the/node', demoAgent: '/the/demo-agent.mjs' };
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

const claude = (fields: object = {}) => ({ ...AgentEntry.parse({ kind: 'claude', ...fields }), name: 'claude' });

describe('the command line of claude', () => {
  it('holds what the run needs, each value behind its flag', async () => {
    const agent = claude({ args: ['--fixed'], permissionMode: 'plan', tools: ['Bash(npm test:*)', 'Edit'] });
    const spec = rig.spec('x', 'the secret prompt', undefined, {
      agent,
      briefing: 'You work in {session}.',
      model: 'opus',
      maxCostUsd: 1.5,
      deny: ['Bash(touch *)', 'Write'],
    });
    const argv = await agentArgv(spec, '/bin/claude', demo);
    expect(argv.slice(0, 2)).toEqual(['/bin/claude', '--fixed']);
    expect(argv).toEqual(
      expect.arrayContaining([
        '--print',
        '--input-format=stream-json',
        '--replay-user-messages',
        '--permission-prompt-tool=stdio',
        '--verbose',
        '--append-system-prompt=You work in {session}.',
        '--allowedTools=Bash(npm test:*),Edit',
        '--disallowedTools=Bash(touch *)',
        '--disallowedTools=Write',
        `--session-id=${spec.conversationId}`,
        '--permission-mode=plan',
        '--model=opus',
        '--max-budget-usd=1.5',
      ]),
    );
    expect(argv.join(' ')).toContain('--output-format stream-json');
    expect(argv.join(' ')).not.toMatch(/secret|SCOPECRAFT_/);
  });

  it('lets no value become a flag', async () => {
    const evil = '--dangerously-skip-permissions';
    const spec = rig.spec('x', evil, undefined, {
      agent: claude({ tools: [evil] }),
      briefing: evil,
      model: evil,
      conversationId: evil,
      resume: true,
    });
    const argv = await agentArgv(spec, '/bin/claude', demo);
    expect(argv).not.toContain(evil);
    expect(argv).toContain(`--resume=${evil}`);
  });

  it('lets it use the tools of its hub unasked, and holds no access to it: it calls on its output', async () => {
    const spec = rig.spec('x', 'p', undefined, {
      agent: claude({ tools: ['Edit'] }),
      mcp: { url: 'http://127.0.0.1:1/mcp', token: 'sc_secret' },
    });
    const argv = await agentArgv(spec, '/bin/claude', demo);
    expect(argv).toEqual(expect.arrayContaining(['--allowedTools=Edit,mcp__scopecraft']));
    expect(argv.join(' ')).not.toMatch(/sc_secret|127\.0\.0\.1|strict/);
  });

  it('holds the schema of the result where one is asked for', async () => {
    const resultSchema = '{"type":"object","properties":{"n":{"type":"number"}}}';
    const argv = await agentArgv(rig.spec('x', 'p', undefined, { agent: claude(), resultSchema }), '/bin/claude', demo);
    expect(argv).toContain(`--json-schema=${resultSchema}`);
  });

  it('leaves out what is not given', async () => {
    const argv = await agentArgv(rig.spec('x', 'p', undefined, { agent: claude() }), '/bin/claude', demo);
    expect(argv.join(' ')).not.toMatch(/append-system|allowedTools|disallowed|--model|budget|mcp|schema/);
  });
});

describe('other agents', () => {
  it('get their fixed arguments only', async () => {
    expect(await agentArgv(rig.spec('x', 'p', ['tool', '-a', 'b c']), '/bin/tool', demo)).toEqual(['/bin/tool', '-a', 'b c']);
  });

  it('the built-in one is our own program', async () => {
    const spec = rig.spec('x', 'p');
    expect(await agentArgv(spec, '/the/node', demo)).toEqual([
      '/the/node',
      '/the/demo-agent.mjs',
      `--session-id=${spec.conversationId}`,
    ]);
  });
});

it('a program is looked for on the PATH of the run, in absolute folders only', async () => {
  const bin = path.join(rig.root, 'bin');
  await mkdir(path.join(bin, 'folder'), { recursive: true });
  await writeFile(path.join(bin, 'tool'), '');
  await chmod(path.join(bin, 'tool'), 0o755);
  await writeFile(path.join(bin, 'text'), '');
  const locate = (command: string, PATH?: string) =>
    locateAgent(AgentEntry.parse({ kind: 'command', command }), PATH === undefined ? {} : { PATH }, demo);
  expect(await locate('tool', `/no/such:${bin}`)).toBe(path.join(bin, 'tool'));
  expect(await locate(path.join(bin, 'tool'))).toBe(path.join(bin, 'tool'));
  expect(await locate('text', bin)).toBeUndefined();
  expect(await locate('folder', bin)).toBeUndefined();
  expect(await locate('x'.repeat(5000), bin)).toBeUndefined();
  expect(await locate('tool')).toBeUndefined();
  expect(await locate('tool', path.relative(process.cwd(), bin))).toBeUndefined();
  expect(await locate('bin/tool', rig.root)).toBeUndefined();
  expect(await locateAgent(AgentEntry.parse({ kind: 'command' }), { PATH: bin }, demo)).toBeUndefined();
});
