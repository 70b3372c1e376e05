// Every list is given in pages: gone through to its end while sessions come and go, it shows each that was there once, and none is left out.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TOOLS } from '../../tools/index.ts';
import { ended, running, started } from '../core/talk-rig.ts';
import { type Engine, makeEngine } from '../support/engine.ts';
import { type Access, askHttp } from '../support/http-clients.ts';
import { openTestDoor, type TestDoor } from '../support/http-door.ts';

let engine: Engine;
let door: TestDoor;
let access: Access;

beforeEach(async () => {
  const rules = new Map(
    Array.from({ length: 230 }, (_, at) => [
      `rule-${String(at).padStart(3, '0')}.md`,
      `---\nname: Rule ${at}\nenabled: true\n---\nDo it.\n`,
    ]),
  );
  engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 4, maxQueueSize: 500 } }, rules });
  door = await openTestDoor(engine);
  access = await door.client('admin');
});
afterEach(async () => {
  await door.close();
  engine.kill();
});

/** All pages, with something done between each two. */
async function through(
  page: (cursor: string | undefined) => Promise<{ ids: readonly string[]; nextCursor?: string | undefined }>,
  between: () => Promise<unknown>,
): Promise<{ readonly ids: readonly string[]; readonly pages: number }> {
  const ids: string[] = [];
  let pages = 0;
  for (let cursor: string | undefined; ; pages++) {
    const { ids: more, nextCursor } = await page(cursor);
    ids.push(...more);
    if (nextCursor === undefined) return { ids, pages: pages + 1 };
    cursor = nextCursor;
    await between();
  }
}

const Page = z.looseObject({ nextCursor: z.string().optional() });

async function toolPage(tool: string, args: object, cursor: string | undefined, rows: string, id: string) {
  const { result } = await askHttp(access, 'tools/call', {
    name: tool,
    arguments: { ...args, ...(cursor !== undefined && { cursor }) },
  });
  const { structuredContent } = z.looseObject({ structuredContent: Page }).parse(result);
  const found = z.array(z.looseObject({ [id]: z.string() })).parse(structuredContent[rows]);
  return { ids: found.map((row) => String(row[id])), nextCursor: structuredContent.nextCursor };
}

describe('while sessions come and go', () => {
  const expectOnce = (ids: readonly string[], wanted: readonly string[]) => {
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining([...wanted]));
  };

  it('session_list and resources/list leave out none and show none twice', async () => {
    const there: string[] = [];
    for (let at = 0; at < 120; at++) there.push(await started(engine, { label: `before ${at}` }));
    const listed = await through(
      (cursor) => toolPage('session_list', { limit: 7 }, cursor, 'sessions', 'id'),
      () => started(engine, { label: 'between' }),
    );
    expect(listed.pages).toBeGreaterThan(10);
    expectOnce(listed.ids, there);
    const resources = await through(
      async (cursor) => {
        const { result } = await askHttp(access, 'resources/list', cursor === undefined ? {} : { cursor });
        const page = Page.extend({ resources: z.array(z.looseObject({ uri: z.string() })) }).parse(result);
        return { ids: page.resources.map(({ uri }) => uri), nextCursor: page.nextCursor };
      },
      () => started(engine, { label: 'between' }),
    );
    expect(resources.pages).toBeGreaterThan(2);
    expectOnce(resources.ids, [
      'queue://status',
      'events://recent',
      ...there.flatMap((id) => [`session://${id}`, `session://${id}/log`]),
    ]);
  });

  it('session_list goes on behind one that is in it no more', async () => {
    const there = [await running(engine, {}), await running(engine, {}), await running(engine, {})];
    const left = [...there];
    const listed = await through(
      (cursor) => toolPage('session_list', { status: 'running', limit: 1 }, cursor, 'sessions', 'id'),
      // the one that was just shown, of which the cursor speaks
      () => ended(engine, left.pop() ?? ''),
    );
    expect(listed.ids).toEqual(there.toReversed());
  });

  it('request_list goes on behind a request that was answered meanwhile', async () => {
    const asking: string[] = [];
    for (let at = 0; at < 4; at++) {
      const id = await running(engine, {});
      for (let times = 0; times < 3; times++) {
        engine.orchestrator.ask(id, { kind: 'question', text: `${at} ${times}?` }).catch(() => undefined);
        await engine.settle();
        asking.push(`${id}.${times + 1}`);
        engine.clock.advance(times % 2);
      }
    }
    let last = '';
    const { ids, pages } = await through(
      async (cursor) => {
        const page = await toolPage('request_list', { limit: 5 }, cursor, 'requests', 'requestId');
        last = page.ids.at(-1) ?? '';
        return page;
      },
      () => engine.orchestrator.answer({ requestId: last, decision: 'answer', text: 'yes' }, 'a test'),
    );
    expect(pages).toBe(3);
    expectOnce(ids, asking);
  });
});

it('prompts are listed in pages', async () => {
  const { ids, pages } = await through(
    async (cursor) => {
      const { result } = await askHttp(access, 'prompts/list', cursor === undefined ? {} : { cursor });
      const page = Page.extend({ prompts: z.array(z.looseObject({ name: z.string() })) }).parse(result);
      return { ids: page.prompts.map(({ name }) => name), nextCursor: page.nextCursor };
    },
    async () => {},
  );
  expect(pages).toBe(2);
  expect(ids.filter((name) => name.startsWith('rule-'))).toHaveLength(230);
  expect(ids).toEqual([...new Set(ids)]);
});

it('a cursor that is none of theirs is refused by every list', async () => {
  for (const method of ['resources/list', 'prompts/list'])
    for (const cursor of ['rubbish', '', Buffer.from('{}').toString('base64url')])
      expect(await askHttp(access, method, { cursor }), `${method} ${cursor}`).toMatchObject({ error: { code: -32602 } });
  await ended(engine, await running(engine));
  const paged = TOOLS.filter(({ input }) => 'cursor' in input.shape).map(({ name }) => name);
  expect(paged).toEqual(expect.arrayContaining(['session_list', 'task_list', 'request_list', 'rule_list', 'worktree_list']));
  for (const name of paged) {
    const about = name === 'prompt_preview' ? { taskId: 'fix-login' } : {};
    const { result } = await askHttp(access, 'tools/call', { name, arguments: { ...about, cursor: 'rubbish' } });
    expect(JSON.stringify(result), name).toContain('CURSOR_INVALID');
  }
});
