// Steering on the real thing: prompts with receipts, and results as data.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { aroundEach, begin, isThere, SessionRow, settled, waited } from './talk-bench.ts';

const Receipt = z.looseObject({ receipt: z.looseObject({ state: z.string(), promptId: z.string() }), session: SessionRow });

aroundEach();

describe('a running autonomous Claude', () => {
  it('gets a second message in the middle of its work and acts on it', { timeout: 120_000 }, async () => {
    const { workspace, client } = await begin(
      { long: ['@@tool Bash {"command":"touch started; until [ -f go ]; do sleep 0.1; done"}', '@@say first done'] },
      { agents: { claude: { kind: 'claude', command: 'claude', tools: ['Bash'] } } },
    );
    const { id } = SessionRow.parse(await client.call('session_start', { taskId: 'long' }));
    await expect.poll(() => isThere(path.join(workspace.path, 'started')), { timeout: 40_000 }).toBe(true);
    const said = Receipt.parse(
      await client.call('session_prompt', { sessionId: id, prompt: '@@say and the second too', timeoutSeconds: 0 }),
    );
    expect(said.receipt.state).toBe('pending');
    await writeFile(path.join(workspace.path, 'go'), '');
    const end = await settled(client, id);
    expect(end).toMatchObject({ status: 'completed', result: 'and the second too' });
    expect(await client.call('session_get', { sessionId: id })).toMatchObject({
      prompts: [{ promptId: said.receipt.promptId, state: 'delivered' }],
    });
    await expect.poll(() => workspace.task('long')).toContain('Custom prompt: "@@say and the second too"');
  });

  it('is continued with feedback once it has settled, in the same conversation', { timeout: 120_000 }, async () => {
    const { workspace, client } = await begin(
      { short: ['@@tool Bash {"command":"echo heron"}', '@@say first'] },
      { agents: { claude: { kind: 'claude', command: 'claude', tools: ['Bash'] } } },
    );
    const { id } = SessionRow.parse(await client.call('session_start', { taskId: 'short' }));
    await settled(client, id);
    const conversation = async (run: number) =>
      readFile(path.join(workspace.path, '.scopecraft/state/sessions', id, String(run), 'spec.json'), 'utf8').then((text) =>
        z.looseObject({ conversationId: z.string(), resume: z.boolean() }).parse(JSON.parse(text)),
      );
    await client.call('session_prompt', { sessionId: id, prompt: '@@say it was {{last}}', requestKey: 'feedback' });
    const end = await settled(client, id);
    expect(end).toMatchObject({ status: 'completed', result: 'it was heron', run: 2 });
    const [first, second] = [await conversation(1), await conversation(2)];
    expect(second).toMatchObject({ conversationId: first.conversationId, resume: true });
    // the same request again says nothing
    await client.call('session_prompt', { sessionId: id, prompt: '@@say it was {{last}}', requestKey: 'feedback' });
    expect(await client.call('session_get', { sessionId: id })).toMatchObject({ status: 'completed', run: 2 });
  });
});

describe('a queued session of a program that hears nothing while it runs', () => {
  it('is told at the beginning of each of its runs what was said to it', { timeout: 60_000 }, async () => {
    const { workspace, client } = await begin(
      { busy: ['@@tool Bash {"command":"until [ -f go ]; do sleep 0.1; done"}'] },
      {
        agents: { once: { kind: 'command', command: 'sh', args: ['-c', 'cat >>heard; [ -f tried ] || { : >tried; exit 1; }'] } },
        queue: { retryPolicy: { minDelayMs: 0, retryOn: ['agent_error'] } },
        resources: { maxConcurrentSessions: 1 },
      },
    );
    await client.call('session_start', { taskId: 'busy', agent: 'demo' });
    const { id } = SessionRow.parse(await client.call('session_start', { prompt: 'the first', agent: 'once' }));
    await client.call('session_prompt', { sessionId: id, prompt: 'also this' });
    await writeFile(path.join(workspace.path, 'go'), '');
    const end = await waited(client, id, ({ status }) => status === 'completed' || status === 'failed');
    expect(end).toMatchObject({ status: 'completed', run: 2 });
    const heard = await readFile(path.join(workspace.path, 'heard'), 'utf8');
    expect(heard.match(/the first|also this/g)).toEqual(['the first', 'also this', 'the first', 'also this']);
    expect(await client.call('session_get', { sessionId: id })).toMatchObject({ prompts: [{ state: 'delivered' }] });
  });
});

describe('a structured result', () => {
  const resultSchema = JSON.stringify({
    type: 'object',
    properties: { count: { type: 'integer' } },
    required: ['count'],
    additionalProperties: false,
  });

  it('is checked and returned as data; what does not fit is an end of its own', { timeout: 60_000 }, async () => {
    const { client } = await begin({ fits: ['@@data {"count":3}'], odd: ['@@data {"count":"three"}'] }, { defaultAgent: 'demo' });
    const run = async (taskId: string) =>
      settled(client, SessionRow.parse(await client.call('session_start', { taskId, resultSchema })).id);
    expect(await run('fits')).toMatchObject({ status: 'completed', data: { count: 3 } });
    expect(await run('odd')).toMatchObject({
      status: 'failed',
      cause: { kind: 'schema_mismatch', reason: expect.stringContaining('count') },
    });
    await expect(client.call('session_start', { taskId: 'fits', resultSchema: '{"type":"string"}' })).rejects.toThrow('object');
  });
});
