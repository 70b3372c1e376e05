// Interactive sessions through the door: the real Claude Code in a terminal, prompts with receipts that are true, people who look in, hubs that die.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sc } from '../support/clients.ts';
import { processesLeft } from '../support/processes.ts';
import { CLI } from '../support/project.ts';
import { type StubModel, startStubModel } from '../support/stub-model.ts';
import {
  Attachment,
  atPrompt,
  begin,
  closeAfterEach,
  heardBy,
  killHub,
  plain,
  receiptOf,
  SessionRow,
  say,
  stands,
  terminalIn,
} from './interactive-bench.ts';

const TASK = '# A talk\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\n@@say I am the heron\n';
const FULL = { timeout: 180_000 };

let model: StubModel;
beforeAll(async () => {
  model = await startStubModel();
});
closeAfterEach();
afterAll(() => model.close());

/** How many of the prompts that reached the model hold these words, line by line. */
const seenByModel = (words: string) =>
  new Set(
    model.requests().flatMap(({ prompt = '', sessionId = '' }) => (plain(prompt).includes(words) ? [sessionId + prompt] : [])),
  ).size;

describe('an interactive Claude Code', () => {
  it(
    'is met by a person, told things whole with true receipts, also over a killed hub, and cancelled without a rest',
    FULL,
    async () => {
      const { workspace, client } = await begin({
        modelUrl: model.url,
        tasks: { 'talk.task.md': TASK },
        userConfig: { defaultAgent: 'claude' },
      });
      const { id } = SessionRow.parse(await client.call('session_start', { taskId: 'talk', type: 'interactive' }));
      expect(await atPrompt(client, id)).toMatchObject({ status: 'waiting', type: 'interactive' });

      const attachment = Attachment.parse(await client.call('session_attach', { sessionId: id }));
      expect(attachment.attached).toBe(0);
      await expect.poll(() => workspace.task('talk')).toContain(`tmuxSession: ${attachment.session}\n`);
      const person = await terminalIn(workspace);
      await person.type(attachment.command);
      await person.shows('I am the heron');
      expect(await client.call('session_attach', { sessionId: id })).toMatchObject({ attached: 1 });

      const long = `the long one ${Array.from({ length: 1040 }, (_, at) => `${at} ${'x'.repeat(59)}`).join(' ')}`;
      expect(Buffer.byteLength(long)).toBeGreaterThan(64 * 1024);
      const nasty = `the nasty one "q" 'q' $(touch ran) \`touch ran\` ; C-c \u001b[201~ \u001b[A \u0007 #{pane_id} {id} \u{1F426}\u200d\u{1F525} ;`;
      const lines = 'the one of lines\n\n\tindented\nlast \\';
      for (const prompt of [long, nasty, lines]) {
        expect(await say(client, id, prompt), prompt.slice(0, 20)).toMatchObject({ state: 'delivered' });
      }
      await atPrompt(client, id);
      // escapes and bells are taken out, all else comes as it is
      const arrived = [long, nasty.replace(/[\u001b\u0007]/g, ''), lines].map(plain);
      // it has a prompt before its model does
      for (const words of arrived) await expect.poll(() => seenByModel(words), { message: words.slice(0, 20) }).toBe(1);
      await person.shows('done: the one of lines');
      const itsWords = async () => (await client.call('session_get', { sessionId: id })).result;
      await expect.poll(itsWords).toMatch(/^done: the one of lines/);
      for (const words of arrived) expect(seenByModel(words), words.slice(0, 20)).toBe(1);

      const { promptId } = await say(client, id, '@@say said before the kill', 0);
      await killHub(workspace);
      await expect
        .poll(() => receiptOf(client, id, promptId), { timeout: 60_000, interval: 500 })
        .toMatchObject([{ state: 'delivered' }]);
      await atPrompt(client, id);
      await expect.poll(() => seenByModel('@@say said before the kill')).toBe(1);
      expect(await receiptOf(client, id, promptId)).toHaveLength(1);
      await person.shows('said before the kill');
      expect(seenByModel('@@say said before the kill')).toBe(1);
      const heard = [expect.stringContaining('@@say I am the heron'), ...arrived, '@@say said before the kill'];
      await expect.poll(async () => (await heardBy(workspace, id)).map(plain)).toEqual(heard);

      await client.call('session_cancel', { sessionId: id });
      expect(await stands(client, id, ({ cause }) => cause !== undefined)).toMatchObject({
        status: 'cancelled',
        cause: { kind: 'cancelled' },
      });
      await person.shows(/exited|server exited|no server/);
      await person.close();
      await expect(client.call('session_attach', { sessionId: id })).rejects.toThrow('TERMINAL_MISSING');
      const told = () => workspace.task('talk');
      await expect.poll(told).toMatch('Custom prompt: "@@say said before the kill"');
      await expect.poll(told).toMatch('Custom prompt: "the one of lines');
      await expect.poll(told).toMatch(/## Session History[\s\S]*: Session cancelled/);
      await client.close();
      await workspace.endHub();
      const left = await processesLeft(workspace.root, 5000);
      expect(left.map(({ command }) => command)).toEqual([]);
    },
  );
});

describe('twenty interactive sessions at once', () => {
  const COUNT = 20;

  it('each get what was said to them, exactly once and nobody else’s, while hubs are killed', FULL, async () => {
    const { workspace, client } = await begin({
      userConfig: {
        defaultAgent: 'demo',
        resources: { maxConcurrentSessions: COUNT, maxInteractiveSessions: COUNT, maxCpuLoad: 0, minFreeMemory: '0' },
      },
    });
    const ids = await Promise.all(
      Array.from(
        { length: COUNT },
        async (_, at) =>
          SessionRow.parse(await client.call('session_start', { prompt: `@@say begun ${at}`, type: 'interactive' })).id,
      ),
    );
    for (const id of ids) await atPrompt(client, id);
    const said: { readonly id: string; readonly words: string; readonly promptId: string }[] = [];
    for (let round = 0; round < 3; round += 1) {
      const calls = ids.map(async (id, at) => {
        const words = `words of ${at} in round ${round}`;
        const { promptId } = await say(client, id, `@@say heard: ${words};`, 0);
        said.push({ id, words, promptId });
      });
      // some are said, some are under way
      await Promise.all(calls.slice(0, COUNT / 2));
      await killHub(workspace);
      await Promise.all(calls);
    }
    expect(said).toHaveLength(3 * COUNT);
    for (const { id, words, promptId } of said)
      await expect
        .poll(() => receiptOf(client, id, promptId), { timeout: 90_000, interval: 500, message: `${id}: ${words}` })
        .toMatchObject([{ state: 'delivered' }]);
    // it takes things up in their order: with the last, all that was pasted before is in its record, also what came twice
    const last = '@@say the last;';
    for (const receipt of await Promise.all(ids.map((id) => say(client, id, last)))) expect(receipt.state).toBe('delivered');
    for (const id of ids) {
      const heard = await heardBy(workspace, id);
      const wanted = said.filter((one) => one.id === id).map(({ words }) => `@@say heard: ${words};`);
      const [first, ...rest] = heard.filter((text) => text.includes('@@say'));
      expect(first).toContain('@@say begun');
      expect(rest.map((text) => text.trim()).toSorted()).toEqual([...wanted, last].toSorted());
    }
    await atPrompt(client, ids[0] ?? '');
    await Promise.all(ids.map((sessionId, at) => client.call('session_cancel', { sessionId, done: at === 0 })));
    await client.call('session_wait', { sessionIds: ids, until: 'all', timeoutSeconds: 45 }, { timeoutMs: 90_000 });
    expect(await client.call('session_list', { status: 'cancelled' })).toMatchObject({ total: COUNT - 1 });
    const done = await client.call('session_get', { sessionId: ids[0] });
    expect(done).toMatchObject({ status: 'completed', cause: { kind: 'done' }, result: expect.stringContaining('the last') });
  });
});

describe('sc session attach', () => {
  it('attaches where a person sits at a terminal, and only says the command elsewhere', FULL, async () => {
    const { workspace, client } = await begin({ userConfig: { defaultAgent: 'demo' } });
    const start = { prompt: '@@say I am the grebe', type: 'interactive' };
    const { id } = SessionRow.parse(await client.call('session_start', start));
    await atPrompt(client, id);
    const attached = async () => Attachment.parse(await client.call('session_attach', { sessionId: id })).attached;
    const person = await terminalIn(workspace);
    const typed = `node ${CLI} session attach ${id}`;

    await person.type(`${typed} --print; echo "printed $?"`);
    await person.shows(/command +env -u TMUX [\s\S]*printed 0/);
    expect(await attached()).toBe(0);

    // the terminal of the test is itself a pane of tmux
    await person.type(`clear; ${typed}; echo "left $?"`);
    await person.shows('I am the grebe');
    await expect.poll(attached).toBe(1);
    await person.type('@@say typed by a person');
    await person.shows('● typed by a person');
    await client.call('session_attach', { sessionId: id, detach: true });
    await person.shows('left 0');
    expect(await attached()).toBe(0);

    const piped = await sc(['session', 'attach', id], { env: workspace.env, cwd: workspace.path });
    expect(piped).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('Attach with `env -u TMUX') });
    await client.call('session_cancel', { sessionId: id });
    await stands(client, id, ({ cause }) => cause !== undefined);
    await person.type(`clear; ${typed}; echo "refused $?"`);
    await person.shows(/TERMINAL_MISSING[\s\S]*refused 1/);
  });
});
