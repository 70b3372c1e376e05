// The crash loop: several clients start, cancel, move and prompt sessions at random while the hub is killed again and again.
// Afterwards every acknowledged start is there exactly once, no agent ran twice, no prompt was heard twice or lost, no event is missing, and no
// process is left.
// SCOPECRAFT_KILLS says how many kills; SCOPECRAFT_SEED replays a run.
import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connect, type TestClient, ToolFailure } from '../support/clients.ts';
import { kill, processesMarked } from '../support/processes.ts';
import { randomFrom } from '../support/random.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const KILLS = Number(process.env.SCOPECRAFT_KILLS ?? 60);
const SEED = Number(process.env.SCOPECRAFT_SEED ?? Date.now() % 1_000_000);
const CLIENTS = 3;
/** With more in the line nothing is added, so that it can be emptied in the end however long it was. */
const MOST_WAITING = 40;
/** So long may pass without a single session settling. */
const STALLED_MS = 120_000;

const Rows = z.looseObject({
  sessions: z.array(z.looseObject({ id: z.string(), status: z.string(), label: z.string().optional() })),
  nextCursor: z.string().optional(),
  total: z.number(),
});
const Events = z.looseObject({
  events: z.array(
    z.looseObject({
      seq: z.number(),
      name: z.string(),
      sessionId: z.string().optional(),
      data: z.looseObject({ promptId: z.string().optional() }),
    }),
  ),
  nextCursor: z.string().optional(),
});
const Line = z.looseObject({ waiting: z.number() });
const SETTLED = ['session.completed', 'session.failed', 'session.cancelled', 'session.lost'];

interface Story {
  /** Request key → session id, as it was acknowledged. */
  readonly acknowledged: Map<string, string>;
  /** Keys whose answer was an error: there or not. */
  readonly unsure: Set<string>;
  readonly cancelled: Set<string>;
  /** Key of the prompt → its id, as it was acknowledged. */
  readonly prompted: Map<string, string>;
  /** How long the line was when somebody looked last. */
  waiting: number;
  refusals: number;
  answers: number;
}

/** One client's random deeds until it is told to end. */
async function act(
  client: TestClient,
  name: string,
  story: Story,
  random: ReturnType<typeof randomFrom>,
  isOver: () => boolean,
): Promise<void> {
  for (let n = 0; !isOver(); n++) {
    const known = [...story.acknowledged.values()];
    const roll = random.below(100);
    try {
      const isFull = story.waiting >= MOST_WAITING;
      if (roll < 55 && !isFull) await startOne(client, `${name}-${n}`, story, random);
      else if (roll < 70 && known.length > 0) {
        const id = random.pick(known);
        await client.call('session_cancel', { sessionId: id });
        story.cancelled.add(id);
      } else if (roll < 80 && known.length > 0)
        await client.call('queue_move', { sessionId: random.pick(known), priority: random.pick(['low', 'high', 'highest']) });
      else if (roll < 92 && !isFull && known.length > 0) await promptOne(client, `${name}-p${n}`, random.pick(known), story);
      else story.waiting = Line.parse(await client.call('queue_status')).waiting;
      story.answers++;
    } catch (error) {
      // moved too late, or the hub died too often under one call; anything else is a fault
      const isRefused = error instanceof ToolFailure && ['NOT_QUEUED', 'PROMPT_REFUSED'].includes(error.code);
      if (!isRefused && !String(error).includes('hub')) throw error;
      story.refusals++;
    }
    await sleep(random.below(60));
  }
}

async function startOne(client: TestClient, key: string, story: Story, random: ReturnType<typeof randomFrom>): Promise<void> {
  const prompt = `@@tool Bash {"command": "echo begun >> marks/${key}"}\n@@sleep ${random.below(400)}\n@@say done ${key}`;
  const args = {
    taskId: `t${random.below(5)}`,
    concurrent: true,
    prompt,
    requestKey: key,
    label: key,
    priority: random.pick(['low', 'medium', 'high']),
  };
  try {
    const { id } = await client.call('session_start', args);
    story.acknowledged.set(key, String(id));
  } catch (error) {
    story.unsure.add(key);
    throw error;
  }
}

const Receipt = z.looseObject({ receipt: z.looseObject({ promptId: z.string() }) });

async function promptOne(client: TestClient, key: string, sessionId: string, story: Story): Promise<void> {
  const prompt = `@@tool Bash {"command": "echo heard >> heard/${key}"}\n@@say heard ${key}`;
  const answer = await client.call('session_prompt', { sessionId, prompt, requestKey: key, timeoutSeconds: 0 });
  story.prompted.set(key, Receipt.parse(answer).receipt.promptId);
}

/** Every second hub is killed whatever it does, the others when they have answered a little: also on a slow machine something shall happen. */
async function killHubs(workspace: Workspace, random: ReturnType<typeof randomFrom>, story: Story): Promise<number> {
  let kills = 0;
  for (const until = Date.now() + KILLS * 5000; kills < KILLS && Date.now() < until; ) {
    await sleep(200 + random.below(1200));
    const enough = story.answers + 4;
    if (kills % 2 === 0) for (const late = Date.now() + 2000; story.answers < enough && Date.now() < late; ) await sleep(50);
    const hub = await workspace.hub();
    if (hub && kill(hub.pid, 'SIGKILL')) kills++;
  }
  return kills;
}

async function allSessions(client: TestClient): Promise<z.infer<typeof Rows>['sessions']> {
  const rows: z.infer<typeof Rows>['sessions'] = [];
  for (let cursor: string | undefined; ; ) {
    const page = Rows.parse(await client.call('session_list', { limit: 100, ...(cursor !== undefined && { cursor }) }));
    rows.push(...page.sessions);
    cursor = page.nextCursor;
    if (cursor === undefined) return rows;
  }
}

/** All sessions, when what still waits in the line has come to its turn, four at a time: that takes as long as the machine takes. */
async function allSettled(client: TestClient): Promise<z.infer<typeof Rows>['sessions']> {
  let fewest = Number.POSITIVE_INFINITY;
  for (let stalledAt = Date.now() + STALLED_MS; ; await sleep(500)) {
    const sessions = await allSessions(client);
    const open = sessions.filter(({ status }) => !['completed', 'cancelled', 'failed', 'lost'].includes(status));
    if (open.length === 0) return sessions;
    if (open.length < fewest) stalledAt = Date.now() + STALLED_MS;
    fewest = Math.min(fewest, open.length);
    if (Date.now() > stalledAt) expect(open, `none settled in ${STALLED_MS} ms`).toEqual([]);
  }
}

async function allEvents(client: TestClient): Promise<z.infer<typeof Events>['events']> {
  const events: z.infer<typeof Events>['events'] = [];
  for (let after = '0'; ; ) {
    const page = Events.parse(await client.call('event_list', { after, limit: 200 }));
    if (page.events.length === 0) return events;
    events.push(...page.events);
    after = page.nextCursor ?? after;
  }
}

/** How many lines each file of a folder has. */
async function linesIn(folder: string): Promise<ReadonlyMap<string, number>> {
  const names = await readdir(folder);
  const counts = names.map(
    async (name) => [name, (await readFile(path.join(folder, name), 'utf8')).split('\n').length - 1] as const,
  );
  return new Map(await Promise.all(counts));
}

describe('the crash loop', () => {
  it(`survives ${KILLS} kills of the hub (seed ${SEED})`, { timeout: KILLS * 6500 + 120_000 }, async () => {
    const random = randomFrom(SEED);
    const task = '# Task\n\n---\ntype: test\nstatus: todo\narea: test\n---\n\n## Instruction\n\nNothing.\n';
    const workspace = await makeWorkspace({
      tasks: Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`t${n}.task.md`, task])),
      userConfig: { defaultAgent: 'demo', resources: { maxConcurrentSessions: 4 }, queue: { processingIntervalMs: 200 } },
    });
    try {
      await mkdir(path.join(workspace.path, 'marks'));
      await mkdir(path.join(workspace.path, 'heard'));
      const clients = await Promise.all(
        Array.from({ length: CLIENTS }, () => connect('modern', { env: workspace.env, cwd: workspace.path })),
      );
      const story: Story = {
        acknowledged: new Map(),
        unsure: new Set(),
        cancelled: new Set(),
        prompted: new Map(),
        waiting: 0,
        refusals: 0,
        answers: 0,
      };
      let isOver = false;
      const acting = Promise.all(clients.map((client, n) => act(client, `c${n}`, story, randomFrom(SEED + n + 1), () => isOver)));
      const kills = await Promise.race([killHubs(workspace, random, story), acting.then(() => 0)]);
      isOver = true;
      await acting;

      const [client] = clients;
      if (!client) throw new Error('There is no client.');
      const sessions = await allSettled(client);
      const events = await allEvents(client);
      for (const one of clients) await one.close();

      expect(kills).toBe(KILLS);
      expect(story.acknowledged.size).toBeGreaterThan(KILLS / 2);
      // every acknowledged start is there exactly once, and nothing that nobody asked for
      expect(new Set(sessions.map(({ id }) => id)).size).toBe(sessions.length);
      const labels = sessions.map(({ label = '' }) => label);
      expect(new Set(labels).size).toBe(labels.length);
      for (const [key, id] of story.acknowledged) expect(sessions.find(({ label }) => label === key)?.id, key).toBe(id);
      for (const label of labels) expect(story.acknowledged.has(label) || story.unsure.has(label), label).toBe(true);

      // no agent ran twice; what completed ran
      const marks = await linesIn(path.join(workspace.path, 'marks'));
      for (const { id, label = '', status } of sessions) {
        expect(marks.get(label) ?? 0, `${label} (${status})`).toBeLessThanOrEqual(1);
        const wasCancelled = events.some(({ name, sessionId }) => sessionId === id && name === 'session.cancelled');
        if (!wasCancelled) expect({ label, status, begun: marks.get(label) }).toEqual({ label, status: 'completed', begun: 1 });
        else expect(['completed', 'cancelled'], label).toContain(status);
      }

      // every acknowledged prompt ended once, as delivered or not, and was heard once or not at all
      const heard = await linesIn(path.join(workspace.path, 'heard'));
      for (const [key, promptId] of story.prompted) {
        const own = events.filter(({ data }) => data.promptId === promptId);
        expect(
          own.filter(({ name }) => name === 'session.prompted' || name === 'session.reopened'),
          key,
        ).toHaveLength(1);
        expect(
          own.filter(({ name }) => name === 'session.received' || name === 'session.undelivered').length,
          key,
        ).toBeLessThanOrEqual(1);
        const isDelivered = own.some(({ name }) => name === 'session.received');
        const wasCancelled = events.some(
          ({ name, sessionId }) => sessionId === own[0]?.sessionId && name === 'session.cancelled',
        );
        expect(heard.get(key) ?? 0, key).toBeLessThanOrEqual(1);
        if (!isDelivered) expect(heard.get(key) ?? 0, `${key} was not delivered`).toBe(0);
        else if (!wasCancelled) expect(heard.get(key), `${key} was delivered`).toBe(1);
        if (!wasCancelled) expect(isDelivered, `${key} is of a session that nobody cancelled`).toBe(true);
      }

      // no event is missing or out of order, and each session settled once
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
      for (const { id } of sessions) {
        const names = events.filter(({ sessionId }) => sessionId === id).map(({ name }) => name);
        expect(names[0], id).toBe('session.queued');
        expect(
          names.filter((name) => SETTLED.includes(name)),
          id,
        ).toHaveLength(1 + names.filter((name) => name === 'session.reopened').length);
        expect([...SETTLED, 'session.undelivered'], id).toContain(names.at(-1));
      }
      // some hubs are killed before they came to write down anything
      expect(events.filter(({ name }) => name === 'hub.started').length).toBeGreaterThan(KILLS / 4);

      // nothing is left but keepers and the hub
      const left = (await processesMarked(workspace.root)).filter(({ command }) => !/keeper\.sh|hub\.cjs|^sleep /.test(command));
      expect(left).toEqual([]);
      console.log(
        `crash loop: ${kills} kills, ${sessions.length} sessions, ${events.length} events, ${story.cancelled.size} cancels, ${story.prompted.size} prompts, ${story.refusals} refusals, seed ${SEED}`,
      );
    } finally {
      await workspace.close({ leftovers: 'end' });
    }
  });
});
