// What tests of interactive sessions through the door share: a workspace with a client, people at terminals, and how a session stands.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach } from 'vitest';
import { z } from 'zod';
import { connect, type TestClient } from '../support/clients.ts';
import { PASTED } from '../support/stub-conversation.ts';
import { openTerminal, type Terminal } from '../support/terminal.ts';
import { makeWorkspace, type Workspace, type WorkspaceOptions } from '../support/workspace.ts';

export const SessionRow = z.looseObject({
  id: z.string(),
  status: z.string(),
  waitsFor: z.string().optional(),
  result: z.string().optional(),
  requests: z.array(z.looseObject({ requestId: z.string(), text: z.string() })).optional(),
  cause: z.looseObject({ kind: z.string() }).optional(),
  prompts: z.array(z.looseObject({ promptId: z.string(), state: z.string() })).default([]),
});
const Waited = z.looseObject({ sessions: z.array(SessionRow), cursor: z.string() });
const Receipt = z.looseObject({ promptId: z.string(), state: z.string(), reason: z.string().optional() });
const Said = z.looseObject({ receipt: Receipt });
export const Attachment = z.looseObject({
  command: z.string(),
  words: z.array(z.string()),
  session: z.string(),
  attached: z.number(),
});

const open: { workspace?: Workspace; client?: TestClient; terminals: Terminal[] } = { terminals: [] };

/** Closes after each test what it opened here. */
export function closeAfterEach(): void {
  afterEach(async () => {
    for (const terminal of open.terminals.splice(0)) await terminal.close();
    await open.client?.close();
    await open.workspace?.close();
    delete open.client;
    delete open.workspace;
  });
}

/** A workspace with a client in it. */
export async function begin(options: WorkspaceOptions) {
  const workspace = await workspaceWith(options);
  return { workspace, client: await clientIn(workspace) };
}

/** A workspace in which nobody is yet. */
export async function workspaceWith(options: WorkspaceOptions): Promise<Workspace> {
  open.workspace = await makeWorkspace(options);
  return open.workspace;
}

export async function clientIn({ env, path: cwd }: Workspace): Promise<TestClient> {
  open.client = await connect('modern', { env, cwd });
  return open.client;
}

export async function terminalIn(workspace: Workspace): Promise<Terminal> {
  const terminal = await openTerminal({ env: workspace.env, cwd: workspace.path });
  open.terminals.push(terminal);
  return terminal;
}

/** Waits for the session until it stands so. */
export async function stands(client: TestClient, id: string, isSo: (row: z.infer<typeof SessionRow>) => boolean) {
  let after: string | undefined;
  for (let tries = 0; tries < 8; tries += 1) {
    const args = { sessionIds: [id], timeoutSeconds: 15, ...(after !== undefined && { after }) };
    const { sessions, cursor } = Waited.parse(await client.call('session_wait', args, { timeoutMs: 60_000 }));
    if (sessions[0] && isSo(sessions[0])) return sessions[0];
    after = cursor;
  }
  throw new Error(`It never stood so: ${JSON.stringify(await client.call('session_get', { sessionId: id }))}`);
}
export const atPrompt = (client: TestClient, id: string) => stands(client, id, ({ waitsFor }) => waitsFor === 'prompt');

export async function say(client: TestClient, sessionId: string, prompt: string, timeoutSeconds = 45) {
  return Said.parse(await client.call('session_prompt', { sessionId, prompt, timeoutSeconds }, { timeoutMs: 90_000 })).receipt;
}

export async function receiptOf(client: TestClient, sessionId: string, promptId: string) {
  const { prompts } = SessionRow.parse(await client.call('session_get', { sessionId }));
  return prompts.filter((prompt) => prompt.promptId === promptId);
}

export async function killHub(workspace: Workspace): Promise<void> {
  const hub = await workspace.hub();
  if (!hub) throw new Error('There is no hub to kill.');
  process.kill(hub.pid, 'SIGKILL');
}

/** Claude Code makes blanks of tabs, and there are blanks around what is pasted; line ends stay. */
export const plain = (text: string) => text.replace(/[\t ]+/g, ' ').trim();

/** What its own record says it was told, as often as it was. */
export async function heardBy(workspace: Workspace, id: string, run = 1): Promise<string[]> {
  const told = await readFile(path.join(workspace.path, '.scopecraft/state/sessions', id, String(run), 'out'), 'utf8');
  return told.split('\n').flatMap((line) => Prompted.safeParse(parsed(line)).data?.message.content.replace(PASTED, '$2') ?? []);
}

const Prompted = z.looseObject({ type: z.literal('user'), message: z.looseObject({ content: z.string() }) });

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
