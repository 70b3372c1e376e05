// What the declarations promise, held against a real hub: examples work, answers have their shape and size, lists are the same for all.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ERRORS, ErrorView } from '../../core/errors.ts';
import { TOOLS, toolNamed } from '../../tools/index.ts';
import { connect, type TestClient } from '../support/clients.ts';
import { openRawDoor } from '../support/raw-door.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const MOST_CHARACTERS = 10_000;
const MOST_EVER = 40_000;
const REVISIONS = ['2026-07-28', '2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];
const task = (lines: string) =>
  `# Fix the login\n\n---\ntype: bug\nstatus: todo\narea: auth\n---\n\n## Instruction\n\n${lines}\n`;
const TASKS = {
  'fix-login': task('@@tool Bash {"command": "echo ok"}\n@@cost 0.01\n@@say It is fixed.'),
  'long-answer': task(`@@say ${'a long answer '.repeat(3000)}`),
  flood: task('@@flood 3000\n@@say done'),
  hang: task('@@hang'),
  asks: task('@@question Which one?\n@@say {{last.answer}}'),
};
const Content = z.array(z.object({ type: z.literal('text'), text: z.string() })).length(1);
const Waited = z.looseObject({
  sessions: z.array(z.looseObject({ requests: z.array(z.looseObject({ requestId: z.string() })).optional() })),
});
const Result = z.looseObject({ isError: z.boolean().optional(), structuredContent: z.unknown().optional(), content: Content });

let workspace: Workspace;
let client: TestClient;
let sessionId: string;

beforeAll(async () => {
  workspace = await makeWorkspace({ tasks: TASKS, userConfig: { defaultAgent: 'demo' } });
  client = await connect('modern', at());
  sessionId = await settled('fix-login');
  await client.call('rule_set', {
    rule: 'greeting',
    template: 'Say hello.',
    conditions: '[{"field":"area","operator":"equals","value":"none"}]',
  });
});

afterAll(async () => {
  await client?.close();
  await workspace?.close();
});

const at = () => ({ env: workspace.env, cwd: workspace.path });
const idOf = (answer: unknown) => z.looseObject({ id: z.string() }).parse(answer).id;

async function settled(taskId: string): Promise<string> {
  const id = idOf(await client.call('session_start', { taskId }));
  await client.call('session_wait', { sessionIds: [id], until: 'all', timeoutSeconds: 30 });
  return id;
}

/** A session that waits for a later time. */
async function waitingSession(): Promise<string> {
  const notBefore = new Date(Date.now() + 3_600_000).toISOString();
  return idOf(await client.call('session_start', { taskId: 'hang', notBefore }));
}

/** A session in a terminal that stands at its prompt. */
async function interactiveSession(): Promise<string> {
  const id = idOf(await client.call('session_start', { prompt: '@@say ready', type: 'interactive' }));
  const { sessions } = Waited.parse(await client.call('session_wait', { sessionIds: [id], timeoutSeconds: 45 }));
  expect(sessions).toMatchObject([{ status: 'waiting', waitsFor: 'prompt', result: 'ready' }]);
  return id;
}

/** A session that asks something, and what it asks. */
async function askingSession(): Promise<{ readonly id: string; readonly requestId: string }> {
  const id = idOf(await client.call('session_start', { taskId: 'asks' }));
  const { sessions } = Waited.parse(await client.call('session_wait', { sessionIds: [id], timeoutSeconds: 45 }));
  return { id, requestId: sessions[0]?.requests?.[0]?.requestId ?? '' };
}

interface Filled {
  readonly args: Record<string, unknown>;
  /** Sessions that were started for it and have not settled. */
  readonly started: readonly string[];
}

/** An example with what it speaks of: a session that has settled, one in the line, one in a terminal, an open question. */
async function filled(example: Readonly<Record<string, unknown>>): Promise<Filled> {
  let text = JSON.stringify(example).replaceAll('{{session}}', sessionId);
  const started: string[] = [];
  for (const [name, start] of Object.entries(STARTS)) {
    if (!text.includes(name)) continue;
    const { id, value = id } = await start();
    started.push(id);
    text = text.replaceAll(name, value);
  }
  return { args: z.record(z.string(), z.unknown()).parse(JSON.parse(text)), started };
}

/** What is to be called next can be called just as it stands there. */
function expectCallable(next: unknown): void {
  const [, name = '', args = ''] = /^([a-z]+_[a-z]+) (\{.*\})/.exec(String(next ?? '')) ?? [];
  // some begin with a word for the person, or leave a text to be filled in
  if (next === undefined || args.includes('…')) return;
  const tool = toolNamed(name)?.tool;
  expect(tool, String(next)).toBeDefined();
  expect(tool?.input.safeParse(JSON.parse(args)).error, String(next)).toBeUndefined();
}

const STARTS: Readonly<Record<string, () => Promise<{ readonly id: string; readonly value?: string }>>> = {
  '{{queued}}': async () => ({ id: await waitingSession() }),
  '{{interactive}}': async () => ({ id: await interactiveSession() }),
  '{{request}}': async () => askingSession().then(({ id, requestId }) => ({ id, value: requestId })),
};

// those of the toolset `session` are for sessions alone, and no door offers them
const EXAMPLES = TOOLS.filter(({ toolset }) => toolset !== 'session').flatMap((tool) =>
  tool.examples.map((example) => [tool.name, JSON.stringify(example), tool, example] as const),
);

describe('an example', () => {
  it.each(EXAMPLES)(
    'of %s works and gives what was promised: %s',
    async (name, _text, tool, example) => {
      const { args, started } = await filled(example);
      const answer = await client.call(name, args);
      for (const id of started) await client.call('session_cancel', { sessionId: id });

      expect(tool.output.safeParse(answer).error).toBeUndefined();
      expect(answer.summary).toMatch(/\S\.$/);
      expectCallable(answer.next);
      expect(JSON.stringify(answer).length).toBeLessThanOrEqual(MOST_CHARACTERS);
    },
    60_000,
  );

  it('of a tool for sessions alone is nobody else’s to call', async () => {
    const forSessions = TOOLS.filter(({ toolset }) => toolset === 'session');
    expect(forSessions.length).toBeGreaterThan(0);
    for (const { name, examples } of forSessions)
      await expect(client.call(name, examples[0])).rejects.toThrow('is not for callers that are no session');
  });
});

describe('an answer', () => {
  it('stays within its size, whatever agents said and however many sessions there are', async () => {
    const long = await settled('long-answer');
    const flood = await settled('flood');
    // they take all slots, so that the others wait
    const hanging = await Promise.all([1, 2, 3].map(() => client.call('session_start', { taskId: 'hang' }).then(idOf)));
    const many = await Promise.all(
      Array.from({ length: 60 }, (_, at) =>
        client.call('session_start', { taskId: 'fix-login', label: `many ${at}` }).then(idOf),
      ),
    );
    const calls: readonly (readonly [string, Record<string, unknown>, number])[] = [
      ['queue_status', {}, MOST_CHARACTERS],
      ['session_get', { sessionId: long }, MOST_CHARACTERS],
      ['session_cancel', { sessionId: long }, MOST_CHARACTERS],
      ['session_wait', { sessionIds: [long, flood] }, MOST_CHARACTERS],
      ['session_logs', { sessionId: long }, MOST_CHARACTERS],
      ['session_logs', { sessionId: flood }, MOST_CHARACTERS],
      ['session_logs', { sessionId: flood, after: '0:0.0' }, MOST_CHARACTERS],
      ['session_logs', { sessionId: flood, after: '0:0.0', limit: 500 }, MOST_EVER],
      ['session_list', {}, MOST_CHARACTERS],
      ['session_list', { limit: 100 }, MOST_EVER],
      ['session_wait', { sessionIds: [long, flood, ...many.slice(0, 48)] }, MOST_EVER],
      ['event_list', {}, MOST_CHARACTERS],
      ['event_list', { limit: 200 }, MOST_CHARACTERS],
      ['event_list', { after: '0', limit: 200 }, MOST_CHARACTERS],
      ['task_list', {}, MOST_CHARACTERS],
    ];
    const sizes = await Promise.all(
      calls.map(async ([name, args, most]) => ({ name, args, most, size: JSON.stringify(await client.call(name, args)).length })),
    );
    expect(sizes.filter(({ size, most }) => size > most)).toEqual([]);
    // what was cut says so
    expect(await client.call('session_logs', { sessionId: flood })).toMatchObject({
      summary: expect.stringMatching(/^The newest \d+ entries of .* There are earlier entries/),
      earlier: true,
      more: false,
      next: `session_logs {"sessionId":"${flood}","after":"0:0.0"}`,
    });
    expect(await client.read(`session://${flood}/log`)).toMatch(new RegExp(`\n# .*session://${flood}/log/0:0.0-\\d`));
    await Promise.all([...many, ...hanging].map((id) => client.call('session_cancel', { sessionId: id })));
    await client.call('session_wait', { sessionIds: hanging, until: 'all' });
  }, 90_000);

  it('of event_list can be read on to the end without a gap', async () => {
    const seqs: number[] = [];
    const Page = z.looseObject({
      events: z.array(z.looseObject({ seq: z.number() })),
      total: z.number(),
      nextCursor: z.string(),
    });
    for (let after = '0'; ; ) {
      const { events, nextCursor } = Page.parse(await client.call('event_list', { after, limit: 200 }));
      if (events.length === 0) break;
      seqs.push(...events.map(({ seq }) => seq));
      after = nextCursor;
    }
    expect(seqs.length).toBeGreaterThan(100);
    expect(seqs).toEqual(seqs.map((_, at) => at + 1));
  });
});

describe('the list of tools', () => {
  it('is the same to the byte on every connection and in every revision', async () => {
    const lists = await Promise.all(
      [...REVISIONS, '2026-07-28'].map(async (revision) => {
        const door = await openRawDoor(revision, at());
        const [first, second] = [await door.ask('tools/list'), await door.ask('tools/list')];
        await door.close();
        return [JSON.stringify(first.tools), JSON.stringify(second.tools)];
      }),
    );
    const [list = '', ...others] = lists.flat();
    expect(list).toContain('session_start');
    expect(others.filter((other) => other !== list)).toEqual([]);
  });
});

describe('on the wire', () => {
  it.each(['2026-07-28', '2025-06-18'])(
    'a failure is answered in %s with isError and the error as JSON in one text, and nothing else',
    async (revision) => {
      const door = await openRawDoor(revision, at());
      try {
        const { isError, structuredContent, content } = Result.parse(
          await door.ask('tools/call', { name: 'session_get', arguments: { sessionId: 'nobody' } }),
        );
        expect(isError).toBe(true);
        expect(structuredContent).toBeUndefined();
        const error = ErrorView.parse(JSON.parse(content[0]?.text ?? ''));
        expect(Object.keys(error)).toEqual(['code', 'message', 'retry', 'hint']);
        expect(error).toMatchObject({
          code: 'SESSION_NOT_FOUND',
          message: 'There is no session "nobody".',
          ...ERRORS.SESSION_NOT_FOUND,
        });
      } finally {
        await door.close();
      }
    },
  );

  it('a good answer has the same JSON in both places', async () => {
    const door = await openRawDoor('2025-11-25', at());
    try {
      const { isError, structuredContent, content } = Result.parse(
        await door.ask('tools/call', { name: 'session_get', arguments: { sessionId } }),
      );
      expect(isError ?? false).toBe(false);
      expect(JSON.parse(content[0]?.text ?? '')).toEqual(structuredContent);
    } finally {
      await door.close();
    }
  });
});
