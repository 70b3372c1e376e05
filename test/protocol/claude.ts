// The real Claude Code, interactive in a terminal against the stub model: session_run becomes a task in its background, what the session asks is
// a form on its screen, and the model is woken with the result.
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type CliOptions, sc } from '../support/clients.ts';
import { DOOR } from '../support/project.ts';
import { startStubModel } from '../support/stub-model.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';
import type { Count } from './inspector.ts';
import type { Programs } from './programs.ts';

const TASK =
  '# One\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n@@tool Bash {"command":"sleep 5"}\n@@question Which one?\n@@say I take {{last.answer}}\n';
/** What the session says in the end; nothing that the model was told before has these words. */
const RESULT = 'I take the second';
const PROMPT = '@@tool mcp__scopecraft__session_run {"taskId":"one"}\n@@say after the call: {{last}}';
const PATIENCE_MS = 40_000;
const Sessions = z.looseObject({
  sessions: z.array(z.looseObject({ id: z.string(), status: z.string(), result: z.string().optional() })),
});

export async function tryClaude({ claude }: Programs, count: Count): Promise<void> {
  const model = await startStubModel();
  const workspace = await makeWorkspace({
    modelUrl: model.url,
    tasks: { 'one.task.md': TASK },
    userConfig: { defaultAgent: 'demo' },
  });
  const at: CliOptions = { env: workspace.env, cwd: workspace.path };
  const terminal = openTerminal(workspace);
  try {
    // a hub that is there already: this client gives a server three seconds before it speaks the older protocol
    await sc(['session', 'list'], at);
    const config = path.join(workspace.home, 'servers.json');
    const server = { command: process.execPath, args: [DOOR, '--workspace', workspace.path] };
    await writeFile(config, JSON.stringify({ mcpServers: { scopecraft: server } }));
    terminal.start([claude, '--strict-mcp-config', '--mcp-config', config, '--allowedTools', 'mcp__scopecraft']);
    await terminal.shows(/❯/);
    await sleep(2000);
    terminal.paste(PROMPT);
    await sleep(1500);
    terminal.keys('Enter');
    count('claude moves session_run to the background as a task', await terminal.shows(/started server-side task run\.one-/));
    count('claude shows what the session asks as a form', await terminal.shows(/asks: Which one\?/));
    const before = model.requests().length;
    terminal.type('the second');
    await sleep(1000);
    for (const key of ['Enter', 'Enter']) {
      terminal.keys(key);
      await sleep(1000);
    }
    count('claude is told that the task is completed', await terminal.shows(/MCP task run\.one-\w+ .* completed/));
    const later = () => model.requests().slice(before);
    count(
      'the model is woken with the result',
      await until(
        () => later().some(({ newest }) => newest?.includes(RESULT) === true),
        () => `${later().length} requests came, the last of them with: ${later().at(-1)?.newest}`,
      ),
    );
    const list = Sessions.parse(JSON.parse((await sc(['session', 'list', '--format=json'], at)).stdout));
    const ids = list.sessions.map(({ id }) => id);
    const session = (await sc(['session', 'get', ids[0] ?? '', '--format=json'], at)).stdout;
    const isAnswered = ids.length === 1 && /"answer":\s*"the second"/.test(session);
    count('the reply to the form reached the session', isAnswered ? undefined : `${ids.join(' ')}: ${session}`);
  } finally {
    terminal.close();
    await sleep(1000);
    await model.close();
    await workspace.close({ leftovers: 'end' });
  }
}

/** A terminal of its own on a tmux server of its own. */
function openTerminal({ root, path: cwd, env }: Workspace) {
  const tmux = (...words: string[]) =>
    execFileSync('tmux', ['-u', '-S', path.join(root, 'tmux'), ...words], {
      encoding: 'utf8',
      env: { ...env, LANG: 'C.UTF-8', TERM: 'xterm-256color', SHELL: '/bin/sh' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  // as one text, however it is broken into lines
  const screen = () => tmux('capture-pane', '-p', '-J', '-t', 'one').replace(/\s+/g, ' ');
  return {
    start: (command: readonly string[]) => tmux('new-session', '-d', '-s', 'one', '-x', '150', '-y', '50', '-c', cwd, ...command),
    paste(words: string) {
      tmux('set-buffer', words);
      tmux('paste-buffer', '-d', '-p', '-t', 'one');
    },
    type: (words: string) => tmux('send-keys', '-t', 'one', '-l', words),
    keys: (key: string) => tmux('send-keys', '-t', 'one', key),
    /** Undefined when it comes to be shown, else what is shown instead. */
    shows: (pattern: RegExp) => until(() => pattern.test(screen()), screen),
    close() {
      try {
        tmux('kill-server');
      } catch {
        // it never started
      }
    },
  };
}

async function until(isThere: () => boolean, otherwise: () => string): Promise<string | undefined> {
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await sleep(200)) if (isThere()) return undefined;
  return otherwise();
}
