// Repairing a journal: what is good is kept, what is gone is named, and the result is one that a hub starts on.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EventDraft, StoredEvent } from '../../core/events.ts';
import { openLedger } from '../../core/ledger.ts';
import { openJournal } from '../../storage/embedded/journal.ts';
import { lineOf } from '../../storage/embedded/journal-records.ts';
import { planRepair, repair } from '../../storage/embedded/journal-repair.ts';
import { openSnapshot } from '../../storage/embedded/snapshot.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { queuedEvent } from '../support/queued-event.ts';

const DAMAGES = Number(process.env.SCOPECRAFT_DAMAGES ?? 60);
vi.setConfig({ testTimeout: 60_000 + 500 * DAMAGES });

let root = '';
const journalFolder = () => path.join(root, 'journal');
const snapshotFile = () => path.join(root, 'snapshot.json');
const clock = fakeClock();

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sc-repair-'));
});

afterEach(() => rm(root, { recursive: true, force: true }));

const cause = { kind: 'done' } as const;
const lifeOf = (sessionId: string): EventDraft[] => [
  queuedEvent(sessionId),
  { name: 'session.starting', data: { sessionId, run: 1, resume: false } },
  { name: 'session.started', data: { sessionId, run: 1, process: { pid: 1, startedAt: 'x' } } },
  { name: 'session.completed', data: { sessionId, run: 1, cause } },
];

async function opened(snapshot = true) {
  const journal = await openJournal(journalFolder(), { segmentEvents: 5 });
  const ledger = await openLedger({
    journal,
    clock,
    node: 'n/1',
    onListenerError: () => {},
    ...(snapshot && { snapshot: openSnapshot(snapshotFile()) }),
  });
  const events: StoredEvent[] = [];
  for await (const event of ledger.history(0)) events.push(event);
  return { ledger, events, close: () => journal.close() };
}

/** Four sessions, a to c completed and d in the line: events 1 to 13 in segments of five. */
async function written(): Promise<void> {
  const { ledger, close } = await opened(false);
  for (const draft of [...lifeOf('a'), ...lifeOf('b'), ...lifeOf('c'), queuedEvent('d')]) await ledger.record(draft);
  await close();
}

const segments = async () => (await readdir(journalFolder())).filter((name) => name.endsWith('.ndjson')).sort();

async function damage(line: number, segment: number): Promise<void> {
  const file = path.join(journalFolder(), (await segments())[segment] ?? '');
  const lines = (await readFile(file, 'utf8')).split('\n');
  lines[line] = (lines[line] ?? '').replace('"node"', '"NODE"');
  await writeFile(file, lines.join('\n'));
}

async function repaired() {
  const plan = await planRepair(root);
  const aside = await repair(root, plan, clock);
  expect((await planRepair(root)).problems).toEqual([]);
  return { plan, aside };
}

const statuses = (ledger: { sessions(): Iterable<{ id: string; status: string }> }) =>
  Object.fromEntries([...ledger.sessions()].map(({ id, status }) => [id, status]));

describe('a journal that is repaired', () => {
  it('needs nothing when it is whole', async () => {
    await written();
    expect(await planRepair(root)).toMatchObject({
      problems: [],
      lost: [],
      files: [],
      check: { events: 13, first: 1, last: 13 },
    });
  });

  it('keeps how each session stands, also where the event between is gone, and gives the gap a number', async () => {
    await written();
    await damage(1, 0);
    await expect(opened()).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' });
    const { plan, aside } = await repaired();
    expect(plan).toMatchObject({ lost: [{ from: 2, to: 2 }], lostEvents: 1, named: ['a'], doubtful: [], unknown: [] });
    expect(aside).toHaveLength(1);
    const { ledger, events, close } = await opened();
    expect(statuses(ledger)).toEqual({ a: 'completed', b: 'completed', c: 'completed', d: 'queued' });
    expect(events.map(({ name }) => name).slice(0, 4)).toEqual([
      'session.queued',
      'journal.lost',
      'session.started',
      'session.completed',
    ]);
    await close();
  });

  it.each([
    ['in the midst', 1, 0, 2],
    ['at the end', 2, 2, 13],
  ])('is mended too where it is whole but for an event %s that has another form than its kind', async (_, line, segment, seq) => {
    await written();
    const file = path.join(journalFolder(), (await segments())[segment] ?? '');
    const lines = (await readFile(file, 'utf8')).split('\n');
    const event: StoredEvent = JSON.parse((lines[line] ?? '').slice(9));
    lines[line] = lineOf({ ...event, data: { ...event.data, sessionId: 7 } } as never).trimEnd();
    await writeFile(file, lines.join('\n'));
    await expect(opened()).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' });
    const { plan } = await repaired();
    expect(plan).toMatchObject({ lost: [{ from: seq, to: seq }], lostEvents: 1 });
    const { ledger, events, close } = await opened();
    expect(statuses(ledger)).toMatchObject({ a: 'completed', b: 'completed', c: 'completed' });
    expect(events[seq - 1]?.name).toBe('journal.lost');
    await close();
  });

  it('does not run a session again that may have been started or cancelled in what is gone', async () => {
    const { ledger, close } = await opened(false);
    for (const draft of [
      queuedEvent('a'),
      { name: 'session.cancelled', data: { sessionId: 'a', run: 0, cause: { kind: 'cancelled' } } } as const,
      queuedEvent('b'),
    ])
      await ledger.record(draft);
    await close();
    await damage(1, 0);
    const { plan } = await repaired();
    expect(plan.doubtful).toEqual(['a']);
    const after = await opened();
    expect(statuses(after.ledger)).toEqual({ a: 'failed', b: 'queued' });
    expect(after.ledger.session('a')?.cause).toMatchObject({ kind: 'lost' });
    await after.close();
  });

  it('that lacks a segment names the events and the sessions that are not known any more', async () => {
    await written();
    await rm(path.join(journalFolder(), (await segments())[1] ?? ''));
    const { plan } = await repaired();
    expect(plan).toMatchObject({ lost: [{ from: 6, to: 10 }], lostEvents: 5, unknown: ['c'] });
    const { ledger, events, close } = await opened();
    expect(statuses(ledger)).toEqual({ a: 'completed', b: 'queued', d: 'queued' });
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: events.length }, (_, at) => at + 1));
    await close();
  });

  it('that lacks its beginning goes on with what is known', async () => {
    await written();
    await rm(path.join(journalFolder(), (await segments())[0] ?? ''));
    await expect(opened()).rejects.toMatchObject({
      code: 'STORAGE_CORRUPT',
      message: expect.stringContaining('begins with event 6'),
    });
    expect((await repaired()).plan).toMatchObject({ lost: [{ from: 1, to: 5 }], unknown: ['b'] });
    const { ledger, close } = await opened();
    expect(statuses(ledger)).toEqual({ c: 'completed', d: 'queued' });
    await close();
  });

  it('that ends before what the snapshot knows keeps that', async () => {
    await written();
    const { ledger, close } = await opened();
    await ledger.close();
    await close();
    const file = path.join(journalFolder(), (await segments()).at(-1) ?? '');
    await writeFile(file, (await readFile(file)).subarray(0, -10));
    await expect(opened()).rejects.toMatchObject({
      code: 'STORAGE_CORRUPT',
      message: expect.stringContaining('ends at event 12'),
    });
    await repaired();
    const after = await opened();
    expect(statuses(after.ledger)).toEqual({ a: 'completed', b: 'completed', c: 'completed', d: 'queued' });
    expect(await after.ledger.record(queuedEvent('e'))).toBe(14);
    await after.close();
  });

  it('may have lost the end of a segment and all of the next, which is the last', async () => {
    await written();
    const [, second = '', last = ''] = await segments();
    const [before, gone] = [await readFile(path.join(journalFolder(), second)), await readFile(path.join(journalFolder(), last))];
    await writeFile(path.join(journalFolder(), second), before.fill(0x58, before.length - 100, before.length - 99));
    await writeFile(path.join(journalFolder(), last), gone.fill(0x58));
    await repaired();
    const { events, close } = await opened();
    await close();
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
    expect(events.find(({ seq }) => seq === 10)).toMatchObject({ name: 'journal.lost' });
  });

  it('whatever was damaged, is one that a hub starts on, with every good event in it', async () => {
    const wound = fc.record({ segment: fc.nat(2), at: fc.nat(3000), length: fc.integer({ min: 1, max: 400 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(wound, { minLength: 1, maxLength: 3 }), async (wounds) => {
        await rm(root, { recursive: true });
        await written();
        for (const { segment, at, length } of wounds) {
          const file = path.join(journalFolder(), (await segments())[segment] ?? '');
          const bytes = await readFile(file);
          await writeFile(file, bytes.fill(0x58, at % bytes.length, Math.min(bytes.length, (at % bytes.length) + length)));
        }
        const good = (await planRepair(root)).check.events;
        await repaired();
        const { events, close } = await opened();
        await close();
        expect(events.filter(({ name, node }) => name !== 'journal.lost' && node !== 'repair')).toHaveLength(good);
        expect(events.map(({ seq }) => seq)).toEqual(
          Array.from({ length: events.length }, (_, at) => (events[0]?.seq ?? 1) + at),
        );
      }),
      { numRuns: DAMAGES },
    );
  });
});
