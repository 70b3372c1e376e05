// What tests of speaking to sessions and answering them share: a workspace with tasks and a client in it, and waits for how a session stands.
import { stat } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { z } from 'zod';
import { connect, type TestClient } from '../support/clients.ts';
import { type StubModel, startStubModel } from '../support/stub-model.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

export const SessionRow = z.looseObject({
  id: z.string(),
  status: z.string(),
  result: z.string().optional(),
  cause: z.looseObject({ kind: z.string() }).optional(),
  data: z.unknown().optional(),
  requests: z.array(z.looseObject({ requestId: z.string(), kind: z.string(), text: z.string() })).optional(),
});
const Waited = z.looseObject({ sessions: z.array(SessionRow), timedOut: z.boolean(), cursor: z.string() });
const task = (lines: readonly string[]) =>
  `# A task\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n${lines.join('\n')}\n`;

let model: StubModel | undefined;
const open: { workspace?: Workspace; client?: TestClient } = {};

/** Plays a model for all tests of a file, and closes after each what it opened here. */
export function aroundEach(): void {
  beforeAll(async () => {
    model = await startStubModel();
  });
  afterEach(async () => {
    await open.client?.close();
    await open.workspace?.close();
    delete open.client;
    delete open.workspace;
  });
  afterAll(() => model?.close());
}

/** A workspace with tasks of these lines, by their names, and a client in it. */
export async function begin(tasks: Readonly<Record<string, readonly string[]>>, config: object = {}) {
  const workspace = await makeWorkspace({
    ...(model && { modelUrl: model.url }),
    tasks: Object.fromEntries(Object.entries(tasks).map(([name, lines]) => [`${name}.task.md`, task(lines)])),
    userConfig: { defaultAgent: 'claude', ...config },
  });
  open.workspace = workspace;
  open.client = await connect('modern', { env: workspace.env, cwd: workspace.path });
  return { workspace, client: open.client };
}

export const isThere = (file: string) =>
  stat(file).then(
    () => true,
    () => false,
  );

/** Waits until the session stands so. */
export async function waited(client: TestClient, sessionId: string, until: (row: z.infer<typeof SessionRow>) => boolean) {
  let after: string | undefined;
  for (let tries = 0; tries < 12; tries += 1) {
    const args = { sessionIds: [sessionId], timeoutSeconds: 15, ...(after !== undefined && { after }) };
    const { sessions, cursor } = Waited.parse(await client.call('session_wait', args, { timeoutMs: 60_000 }));
    const [row] = sessions;
    if (row && until(row)) return row;
    after = cursor;
  }
  throw new Error('It did not come to that.');
}
export const settled = (client: TestClient, id: string) => waited(client, id, ({ cause }) => cause !== undefined);
/** The first thing that it asks. */
export const asking = async (client: TestClient, id: string) => {
  const row = await waited(client, id, ({ requests }) => requests !== undefined);
  const request = row.requests?.[0];
  if (!request) throw new Error('Nothing is asked.');
  return request;
};
