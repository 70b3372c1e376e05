// `sc demo`: the whole line in a folder of its own, with the built-in agent: a task, a session, its live log, its result, its history.
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readEnvironment } from '../server/config.ts';
import { connectClient } from './client.ts';
import { entryLine, followLog } from './follow.ts';
import { localOptions } from './local-options.ts';
import { linesOf } from './render.ts';

const TASK = `# Write a greeting

---
type: feature
status: todo
area: demo
---

## Instruction

Write a file \`greeting.txt\` that says hello, then read it back.

The demo agent plays these lines; a real agent would read the text above:

@@say I read the task. I write the greeting first.
@@sleep 700
@@tool Write {"file_path": "greeting.txt", "content": "Hello from a session that you are watching.\\n"}
@@sleep 700
@@tool Bash {"command": "cat greeting.txt"}
@@sleep 700
@@cost 0.0042
@@say The file greeting.txt is there and says hello.

## Tasks

- [ ] greeting.txt is there

## Log
`;

export async function demo(args: readonly string[], print: (text: string) => void): Promise<number> {
  if (!localOptions('demo', args, print)) return 0;
  const folder = await mkdtemp(path.join(readEnvironment().temporaryFolder, 'scopecraft-demo-'));
  const taskFile = path.join(folder, '.tasks', 'current', 'greeting.task.md');
  await mkdir(path.dirname(taskFile), { recursive: true });
  await writeFile(taskFile, TASK);

  print(`A workspace of its own: ${folder}\n\nThe task, ${path.relative(folder, taskFile)}:\n`);
  print(indented(TASK.trim()));
  const client = await connectClient({ workspace: folder });
  try {
    print('\nsc session start greeting --agent=demo');
    const started = await client.call('session_start', { taskId: 'greeting', agent: 'demo' });
    const id = String(started.id);
    print(`${String(started.summary)}\n\nsc session logs ${id} --follow`);
    await followLog(client, id, { print: (entry) => print(entryLine(entry)) });
    print(`\nsc session get ${id}`);
    print(linesOf(await client.call('session_get', { sessionId: id })));
    print('\nThe task file now has its history:\n');
    print(indented(await historyOf(taskFile)));
  } finally {
    await client.close();
  }
  print(`
Go on from here:
  cd ${folder}
  sc session start --prompt "Say hello" --agent=demo --follow
  sc session list
  sc session start greeting --agent=claude     (with Claude Code installed)

Without an installation, \`node ${path.resolve(process.argv[1] ?? 'dist/cli.cjs')}\` stands for \`sc\`.
The hub of that folder leaves by itself when it is idle. Remove the folder when you are done.`);
  return 0;
}

/** The two places the orchestrator writes: the sessions of the front matter and the history section. */
async function historyOf(taskFile: string): Promise<string> {
  for (let tries = 0; tries < 50; tries++) {
    const text = await readFile(taskFile, 'utf8');
    const sessions = /^sessions:\n(?:[ -].*\n)*/m.exec(text)?.[0];
    const history = /^## Session History\n[\s\S]*?(?=^## |$(?![\s\S]))/m.exec(text)?.[0];
    if (sessions && history?.includes('completed')) return `${sessions.trimEnd()}\n\n${history.trimEnd()}`;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return '(not written yet)';
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '    ');
}
