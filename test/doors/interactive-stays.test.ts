// What an interactive session outlives, with the real Claude Code: the terminal from which everything was started, and its own end.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { sc } from '../support/clients.ts';
import { kill } from '../support/processes.ts';
import { CLI } from '../support/project.ts';
import { type StubModel, startStubModel } from '../support/stub-model.ts';
import {
  Attachment,
  atPrompt,
  begin,
  clientIn,
  closeAfterEach,
  heardBy,
  plain,
  SessionRow,
  say,
  stands,
  terminalIn,
  workspaceWith,
} from './interactive-bench.ts';

const task = (lines: string) => `# A talk\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n${lines}\n`;
const FULL = { timeout: 180_000 };

let model: StubModel;
beforeAll(async () => {
  model = await startStubModel();
});
closeAfterEach();
afterAll(() => model.close());

describe('an interactive session', () => {
  it('outlives the terminal from which it, its hub and all else were started, and goes on with the same hub', FULL, async () => {
    const workspace = await workspaceWith({
      modelUrl: model.url,
      tasks: { 'talk.task.md': task('@@say I am the heron') },
      userConfig: { defaultAgent: 'claude' },
    });
    const started = path.join(workspace.path, 'started.json');
    // one script: all that does not leave for a session of its own is hung up with the program in front
    const lines = [
      `node '${CLI}' session start talk --type=interactive --format=json >'${started}'`,
      `id=$(node -p 'JSON.parse(fs.readFileSync("${started}", "utf8")).id')`,
      `until node '${CLI}' session attach "$id"; do sleep 0.5; done`,
    ];
    await writeFile(path.join(workspace.path, 'login'), lines.join('\n'));
    const person = await terminalIn(workspace);
    await person.type('sh ./login');
    await person.shows('I am the heron', 60_000);
    const before = await workspace.hub();
    expect(before).toBeDefined();
    await person.close();

    const client = await clientIn(workspace);
    const { id } = SessionRow.parse(JSON.parse(await readFile(started, 'utf8')));
    await expect
      .poll(async () => Attachment.parse(await client.call('session_attach', { sessionId: id })).attached, { timeout: 30_000 })
      .toBe(0);
    expect(await atPrompt(client, id)).toMatchObject({ status: 'waiting' });
    expect(await say(client, id, '@@say still here')).toMatchObject({ state: 'delivered' });
    await expect
      .poll(async () => (await heardBy(workspace, id)).map(plain))
      .toEqual([expect.stringContaining('@@say I am the heron'), '@@say still here']);
    expect((await workspace.hub())?.pid).toBe(before?.pid);
    await client.call('session_cancel', { sessionId: id });
    await stands(client, id, ({ cause }) => cause !== undefined);
  });

  it('ends with a killed tmux server, is known to, and goes on in the same conversation when it is spoken to', FULL, async () => {
    const { workspace, client } = await begin({
      modelUrl: model.url,
      tasks: { 'talk.task.md': task('@@say I am the heron') },
      userConfig: { defaultAgent: 'claude' },
    });
    const { id } = SessionRow.parse(await client.call('session_start', { taskId: 'talk', type: 'interactive' }));
    await atPrompt(client, id);
    // what Claude Code has not written down when it is killed it cannot go on with
    const written = { entries: expect.arrayContaining([expect.objectContaining({ kind: 'text', text: 'I am the heron' })]) };
    await expect.poll(() => client.call('session_logs', { sessionId: id })).toMatchObject(written);
    const { words } = Attachment.parse(await client.call('session_attach', { sessionId: id }));
    const server = ['-S', words[words.indexOf('-S') + 1] ?? '', 'display-message', '-p', '#{pid}'];
    const { stdout } = await promisify(execFile)('tmux', server, { env: workspace.env });
    kill(Number(stdout), 'SIGKILL');
    expect(await stands(client, id, ({ cause }) => cause !== undefined)).toMatchObject({ result: 'I am the heron' });
    expect(await say(client, id, '@@say back again')).toMatchObject({ state: 'delivered' });
    expect(await atPrompt(client, id)).toMatchObject({ status: 'waiting', run: 2 });
    await expect.poll(async () => (await heardBy(workspace, id, 2)).map(plain)).toEqual(['@@say back again']);
    await client.call('session_cancel', { sessionId: id });
    await stands(client, id, ({ status }) => status === 'cancelled');
  });

  it(
    'is followed: each time it stands at its prompt the way on is told, and where nobody sits a start ends there',
    FULL,
    async () => {
      const { workspace, client } = await begin({
        modelUrl: model.url,
        tasks: { 'talk.task.md': task('@@say I am the heron') },
        userConfig: { defaultAgent: 'claude' },
      });
      const at = { env: workspace.env, cwd: workspace.path };
      const start = await sc(['session', 'start', 'talk', '--type=interactive', '--follow'], at);
      const id = /Session (talk-\w{4})/.exec(start.stderr)?.[1] ?? '';
      const onward = `Go on with: sc session prompt ${id} "…"`;
      expect(start).toMatchObject({ code: 75, stdout: expect.stringContaining(onward) });
      const person = await terminalIn(workspace);
      await person.type(`clear; '${process.execPath}' '${CLI}' session logs ${id} --follow; echo code=$?`);
      const told = async () => (await person.screen()).split(onward).length - 1;
      await expect.poll(told, { timeout: 20_000 }).toBe(1);
      expect(await say(client, id, '@@say still here')).toMatchObject({ state: 'delivered' });
      await atPrompt(client, id);
      await expect.poll(told, { timeout: 20_000 }).toBe(2);
      await client.call('session_cancel', { sessionId: id });
      await person.shows('code=0');
      expect(await told()).toBe(2);
    },
  );

  it('that a person has left is gone on with in the same conversation, in a terminal again', FULL, async () => {
    const { workspace, client } = await begin({
      modelUrl: model.url,
      tasks: { 'talk.task.md': task('@@tool Bash {"command":"echo heron"}\n@@say I have looked') },
      userConfig: { agents: { claude: { kind: 'claude', command: 'claude', tools: ['Bash'] } }, defaultAgent: 'claude' },
    });
    const { id } = SessionRow.parse(await client.call('session_start', { taskId: 'talk', type: 'interactive' }));
    await atPrompt(client, id);
    const first = Attachment.parse(await client.call('session_attach', { sessionId: id }));
    const person = await terminalIn(workspace);
    await person.type(first.command);
    await person.shows('I have looked');
    await person.press('C-d');
    await person.press('C-d');
    expect(await stands(client, id, ({ cause }) => cause !== undefined)).toMatchObject({ status: 'completed' });
    await expect(client.call('session_attach', { sessionId: id })).rejects.toThrow('TERMINAL_MISSING');

    expect(await say(client, id, '@@say it was {{last}}')).toMatchObject({ state: 'delivered' });
    expect(await atPrompt(client, id)).toMatchObject({ status: 'waiting', type: 'interactive', run: 2 });
    await person.type(Attachment.parse(await client.call('session_attach', { sessionId: id })).command);
    await person.shows('it was heron');
    const [one, two] = [await specOf(1), await specOf(2)];
    expect([one.resume, two.resume]).toEqual([false, true]);
    expect(two.conversationId).toBe(one.conversationId);
    await expect.poll(async () => (await heardBy(workspace, id, 2)).map(plain)).toEqual(['@@say it was {{last}}']);
    await client.call('session_cancel', { sessionId: id });
    await stands(client, id, ({ status }) => status === 'cancelled');

    async function specOf(run: number) {
      const file = path.join(workspace.path, '.scopecraft/state/sessions', id, String(run), 'spec.json');
      return z.looseObject({ conversationId: z.string(), resume: z.boolean() }).parse(JSON.parse(await readFile(file, 'utf8')));
    }
  });
});
