// The examples do what they say, with the settings and the task files that lie beside them.
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Config } from '../../core/config.ts';
import { CLI, DOOR, PROJECT } from '../support/project.ts';
import { runProgram } from '../support/run-program.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const EXAMPLES = path.join(PROJECT, 'examples');
const TSX = path.join(PROJECT, 'node_modules', '.bin', 'tsx');

let workspace: Workspace;
let at: { env: Workspace['env']; cwd: string };

beforeAll(async () => {
  const config = z.record(z.string(), z.unknown()).parse(JSON.parse(await readFile(path.join(EXAMPLES, 'config.json'), 'utf8')));
  workspace = await makeWorkspace({ userConfig: config });
  await cp(path.join(EXAMPLES, 'tasks'), path.join(workspace.path, '.tasks'), { recursive: true });
  // as an installation puts them on PATH
  const bin = path.join(workspace.home, 'bin');
  await mkdir(bin);
  for (const [name, program] of [
    ['sc', CLI],
    ['scopecraft-orchestrator', DOOR],
  ] as const)
    await symlink(program, path.join(bin, name));
  at = { env: { ...workspace.env, PATH: `${bin}:${workspace.env.PATH}` }, cwd: workspace.path };
});

afterAll(() => workspace?.close());

describe('the examples', () => {
  it('have settings that are valid, one agent of each kind at least', async () => {
    const { $schema, ...values } = z
      .looseObject({ $schema: z.string() })
      .parse(JSON.parse(await readFile(path.join(EXAMPLES, 'config.json'), 'utf8')));
    expect($schema).toBe('../docs/schemas/config.json');
    expect(Object.values(Config.parse(values).agents).map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['claude', 'command']),
    );
  });

  it('start a session through an MCP client, wait for it and show its log', async () => {
    const { code, stdout, stderr } = await runProgram(
      TSX,
      [path.join(EXAMPLES, 'start-and-wait.ts'), workspace.path, 'greeting'],
      at,
    );
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Session greeting-\w{4} is (?:starting|queued)/);
    expect(stdout).toMatch(/is completed\.\nThe file greeting\.txt is there and says hello\./);
    expect(stdout).toMatch(/tool_use +.*cat greeting\.txt[\s\S]*tool_result +Hello\./);
    expect(await readFile(path.join(workspace.path, 'greeting.txt'), 'utf8')).toBe('Hello.\n');
  });

  it('tell what is wrong when the task is not there', async () => {
    const { code, stderr } = await runProgram(TSX, [path.join(EXAMPLES, 'start-and-wait.ts'), workspace.path, 'greetin'], at);
    expect(code).toBe(1);
    expect(stderr).toMatch(/TASK_NOT_FOUND.*Did you mean \\"greeting\\"\?/);
  });

  it('start three sessions at once from a shell and wait for all', async () => {
    const { code, stdout, stderr } = await runProgram('/bin/sh', [path.join(EXAMPLES, 'three-at-once.sh')], at);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/greeting-\w{4} +completed/);
    expect(stdout).toMatch(/count-lines-\w{4} +completed .*All task files together have this many lines: \d+/);
    expect(stdout).toMatch(/failing-check-\w{4} +failed +agent_error/);
    expect(stdout).toContain('Not all of them completed.');
    expect(stdout).toContain('3 of 3 sessions.');
    await expect
      .poll(() => workspace.task('failing-check'))
      .toMatch(/Session failed \(agent error.*The check failed; nothing was changed\./);
  });

  it('let any program be an agent', async () => {
    const { code, stdout } = await runProgram('sc', ['session', 'start', 'greeting', '--agent=words', '--follow'], at);
    expect(code).toBe(0);
    expect(stdout).toMatch(/result +\d+/);
    expect(stdout).toMatch(/status +completed/);
  });
});
