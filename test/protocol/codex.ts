// The real Codex against a stub of its API: it lists the tools, starts a session on the demo agent and waits for its result.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { DOOR } from '../support/project.ts';
import { runProgram } from '../support/run-program.ts';
import { startStubResponses } from '../support/stub-responses.ts';
import { makeWorkspace } from '../support/workspace.ts';
import type { Count } from './inspector.ts';
import type { Programs } from './programs.ts';

const NAMESPACE = 'mcp__scopecraft';
const TASK =
  '# One\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n@@tool Bash {"command":"sleep 3; echo slept"}\n@@say forty-two\n';
const Started = z.looseObject({ id: z.string() });

export async function tryCodex({ codex }: Programs, count: Count): Promise<void> {
  const workspace = await makeWorkspace({ tasks: { 'one.task.md': TASK } });
  const call = (name: string, args: object) => ({ name, namespace: NAMESPACE, args });
  const model = await startStubResponses([
    () => call('session_start', { taskId: 'one', agent: 'demo' }),
    (last) => call('session_wait', { sessionIds: [idIn(last)], timeoutSeconds: 30 }),
    (last) => ({ say: last.includes('forty-two') ? 'The session said forty-two.' : `It said something else: ${last}` }),
  ]);
  try {
    const home = path.join(workspace.home, 'codex');
    await mkdir(home, { mode: 0o700 });
    await writeFile(path.join(home, 'config.toml'), configOf(model.url, workspace.path));
    const run = await runProgram(
      codex,
      ['exec', '--skip-git-repo-check', '-s', 'danger-full-access', '-C', workspace.path, '--json', 'Run task one.'],
      {
        env: { ...workspace.env, CODEX_HOME: home, STUB_KEY: 'none' },
        cwd: workspace.path,
        timeoutMs: 120_000,
      },
    );
    const listed = model.tools()[NAMESPACE] ?? [];
    const isListed = ['session_start', 'session_run', 'session_wait', 'task_list'].every((name) => listed.includes(name));
    count('codex lists the tools', isListed ? undefined : `it was given: ${listed.join(', ')}\n${run.stdout}${run.stderr}`);
    const isDone = run.code === 0 && run.stdout.includes('The session said forty-two.');
    count(
      'codex starts a session and waits for its result',
      isDone ? undefined : `exit ${run.code}\n${model.results().join('\n')}\n${run.stdout}${run.stderr}`,
    );
  } finally {
    await model.close();
    await workspace.close();
  }
}

/** The id in a tool result, in which Codex puts a line of its own before the answer. */
function idIn(result: string): string {
  const { data } = Started.safeParse(JSON.parse(result.slice(Math.max(0, result.indexOf('{')))));
  return data?.id ?? 'none';
}

function configOf(url: string, workspace: string): string {
  return `model = "stub"
model_provider = "stub"
approval_policy = "never"
[model_providers.stub]
name = "stub"
base_url = "${url}"
wire_api = "responses"
env_key = "STUB_KEY"
[mcp_servers.scopecraft]
command = "${process.execPath}"
args = ["${DOOR}", "--workspace", "${workspace}"]
startup_timeout_sec = 60
required = true
`;
}
