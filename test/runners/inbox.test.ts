// The file through which a run is spoken to, without a run: what is in it after hubs died within a line, at each of its bytes.
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import type { Message } from '../../core/run-ports.ts';
import { openInbox, userLine } from '../../runners/inbox.ts';
import { realClock, said } from './rig.ts';

const Line = z.looseObject({ type: z.string(), uuid: z.unknown().optional() });
const first = said('begin');
let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'inbox-'));
  file = path.join(folder, 'in');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What an agent reads in it; throws at a broken line. */
async function read(): Promise<z.infer<typeof Line>[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  expect(lines.pop()).toBe('');
  return lines.map((line) => Line.parse(JSON.parse(line)));
}

async function ids(): Promise<unknown[]> {
  return (await read()).filter(({ type }) => type === 'user').map(({ uuid }) => uuid);
}

async function written(message: Message): Promise<string> {
  await writeFile(file, userLine(first));
  await openInbox(folder, realClock).tell(message);
  return (await readFile(file, 'utf8')).slice(userLine(first).length);
}

it.each([said('go "on" \\ \u{1F600}\n\u2028ü'), said('stop {that}, [now]', 'interrupt')])(
  'what a hub left torn at any byte is said once by the next, and no line is broken: $mode',
  async (message) => {
    const whole = await written(message);
    expect(Buffer.byteLength(whole)).toBe(whole.length);
    for (let cut = 0; cut <= whole.length; cut++) {
      await writeFile(file, userLine(first) + whole.slice(0, cut));
      const next = openInbox(folder, realClock);
      await Promise.all([next.tell(message), next.tell(message)]);
      expect(await ids(), `cut at ${cut}`).toEqual([first.promptId, message.promptId]);
    }
  },
);

it('what was left torn does not become part of another message, and can be said later', async () => {
  const other = said('something else');
  for (const message of [said('go on'), said('stop', 'interrupt')]) {
    const whole = await written(message);
    for (let cut = 0; cut <= whole.length; cut++) {
      await writeFile(file, userLine(first) + whole.slice(0, cut));
      await openInbox(folder, realClock).tell(other);
      // only the line end was missing
      const isThere = cut >= whole.length - 1;
      const expected = [first.promptId, ...(isThere ? [message.promptId] : []), other.promptId];
      expect(await ids(), `cut at ${cut}`).toEqual(expected);
      await openInbox(folder, realClock).tell(message);
      expect(await ids(), `cut at ${cut}`).toEqual(isThere ? expected : [...expected, message.promptId]);
    }
  }
});

it('an answer that a hub left torn at any byte is given once by the next, and no line is broken', async () => {
  const response = {
    behavior: 'allow',
    updatedInput: { 'a "key"': [[{ x: -1.5e21, yes: true, no: false }], [], null], text: 'h\u00e9 {[\n\\', none: {} },
  };
  await writeFile(file, userLine(first));
  await openInbox(folder, realClock).answer('the-id', response);
  const whole = (await readFile(file, 'utf8')).slice(userLine(first).length);
  for (let cut = 0; cut <= whole.length; cut++) {
    await writeFile(file, userLine(first) + whole.slice(0, cut));
    const next = openInbox(folder, realClock);
    expect(await next.hasAnswered('the-id'), `cut at ${cut}`).toBe(cut === whole.length);
    await Promise.all([next.answer('the-id', response), next.answer('the-id', { behavior: 'deny', message: 'late' })]);
    const answers = (await read()).filter(({ type }) => type === 'control_response');
    expect(answers, `cut at ${cut}`).toEqual([
      { type: 'control_response', response: { subtype: 'success', request_id: 'the-id', response } },
    ]);
    expect(await next.hasAnswered('the-id')).toBe(true);
    expect(await ids()).toEqual([first.promptId]);
  }
});

it('an answer that is torn does not become part of a message', async () => {
  const inbox = openInbox(folder, realClock);
  await writeFile(file, userLine(first));
  await inbox.answer('the-id', { behavior: 'allow', updatedInput: { list: [{ n: [1, 'two'] }] } });
  const whole = (await readFile(file, 'utf8')).slice(userLine(first).length);
  for (let cut = 0; cut < whole.length - 1; cut++) {
    await writeFile(file, userLine(first) + whole.slice(0, cut));
    const other = said('something else');
    await openInbox(folder, realClock).tell(other);
    expect(await ids(), `cut at ${cut}`).toEqual([first.promptId, other.promptId]);
    expect(await inbox.hasAnswered('the-id'), `cut at ${cut}`).toBe(false);
  }
});

it('an interrupt comes right before its message, and only before that', async () => {
  await written(said('stop', 'interrupt'));
  await openInbox(folder, realClock).tell(said('and then'));
  expect((await read()).map(({ type }) => type)).toEqual(['user', 'control_request', 'user', 'user']);
});

it('keeps the order in which things are said, also of many at once', async () => {
  await writeFile(file, '');
  const inbox = openInbox(folder, realClock);
  const messages = Array.from({ length: 50 }, (_, at) => said(`${at}`));
  await Promise.all(messages.map((message) => inbox.tell(message)));
  expect(await ids()).toEqual(messages.map(({ promptId }) => promptId));
});

it('refuses where there is nothing to speak into', async () => {
  await rm(file);
  await expect(openInbox(folder, realClock).tell(said('hello'))).rejects.toMatchObject({ code: 'PROMPT_REFUSED' });
  await appendFile(file, '');
});
