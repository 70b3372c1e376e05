// The ledger over a journal that fails when told to: what is refused is taken back, what has happened is recorded until it can be, and the state is saved and found again.
import { beforeEach, describe, expect, it } from 'vitest';
import { ScopecraftError } from '../../core/errors.ts';
import { eventPage } from '../../core/event-page.ts';
import type { EventDraft, StoredEvent } from '../../core/events.ts';
import { type Ledger, type LedgerOptions, openLedger } from '../../core/ledger.ts';
import { emptyState, savedState } from '../../core/ledger-state.ts';
import type { Journal, Room, SavedState, Snapshot } from '../../core/ports.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { queuedEvent } from '../support/queued-event.ts';
import { TestJournal } from '../support/test-journal.ts';

const full = () => new ScopecraftError('STORAGE_FULL', 'The disk is full.');
const stopped: EventDraft = { name: 'hub.stopped', data: { reason: 'test' } };

const queued = (sessionId: string, more: Parameters<typeof queuedEvent>[1] = {}) =>
  queuedEvent(sessionId, { taskId: `task-of-${sessionId}`, ...more });

const starting = (sessionId: string): EventDraft => ({ name: 'session.starting', data: { sessionId, run: 1, resume: false } });
const started = (sessionId: string): EventDraft => ({
  name: 'session.started',
  data: { sessionId, run: 1, process: { pid: 1, startedAt: 'x' } },
});
const completed = (sessionId: string): EventDraft => ({
  name: 'session.completed',
  data: { sessionId, run: 1, cause: { kind: 'done' } },
});

interface TestRoom extends Room {
  words: string | undefined;
  given: number;
}

function testRoom(): TestRoom {
  const room: TestRoom = {
    words: undefined,
    given: 0,
    problem: () => room.words,
    look: async () => room.words,
    async giveReserve() {
      room.given++;
      room.words = 'full';
    },
  };
  return room;
}

const clock = fakeClock();
let journal = new TestJournal();
const heard: string[] = [];

async function opened(more: Partial<LedgerOptions> = {}): Promise<Ledger> {
  const ledger = await openLedger({
    journal,
    clock,
    node: 'n/1',
    onListenerError: (error) => {
      throw error;
    },
    ...more,
  });
  ledger.subscribe((event) => heard.push('seq' in event ? `${event.seq} ${event.name}` : event.name));
  return ledger;
}

beforeEach(() => {
  journal = new TestJournal();
  heard.length = 0;
});

const turns = async () => {
  for (let n = 0; n < 10; n++) await new Promise((resolve) => setImmediate(resolve));
};

describe('a ledger whose journal refuses a write', () => {
  it('is as if it had never been recorded: no session, no number, no request key, no listener told', async () => {
    const ledger = await opened();
    await ledger.record(queued('a', { requestKey: 'k-a' }));
    journal.refuse = full;
    const refused = ledger.record(queued('b', { requestKey: 'k-b' }));
    expect(ledger.session('b')?.status).toBe('queued');
    await expect(refused).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(ledger.session('b')).toBeUndefined();
    expect(ledger.requestKey('k-b')).toBeUndefined();
    expect([ledger.seq, ledger.counts().queued]).toEqual([1, 1]);
    journal.refuse = () => undefined;
    expect(await ledger.record(queued('c'))).toBe(2);
    expect(heard).toEqual(['1 session.queued', '2 session.queued']);
    expect(journal.events.map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it('knows what a session started: not what was refused or removed, and the same when it is opened again', async () => {
    const ledger = await opened();
    const names = (of: Ledger, id: string) => of.childrenOf(id).map((child) => child.id);
    for (const [id, parentId] of [['a'], ['b', 'a'], ['c', 'a'], ['d', 'b']] as const)
      await ledger.record(queued(id, { parentId }));
    expect([names(ledger, 'a'), names(ledger, 'b'), names(ledger, 'd')]).toEqual([['b', 'c'], ['d'], []]);
    journal.refuse = full;
    const refused = ledger.record(queued('e', { parentId: 'a' }));
    expect(names(ledger, 'a')).toEqual(['b', 'c', 'e']);
    await expect(refused).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    journal.refuse = () => undefined;
    expect(names(ledger, 'a')).toEqual(['b', 'c']);
    await ledger.record({ name: 'session.cancelled', data: { sessionId: 'c', run: 0, cause: { kind: 'cancelled' } } });
    expect(names(ledger, 'a')).toEqual(['b', 'c']);
    for (const sessionId of ['c', 'd']) await ledger.record({ name: 'session.removed', data: { sessionId, reason: 'age' } });
    expect([names(ledger, 'a'), names(ledger, 'b')]).toEqual([['b'], []]);
    const again = await opened();
    expect([names(again, 'a'), names(again, 'b')]).toEqual([['b'], []]);
    const saved: SavedState[] = [];
    const snapshot: Snapshot = { load: async () => saved[0] ?? 'none', save: async (state) => saved.push(state) };
    await (await opened({ snapshot })).close();
    expect(Object.keys(saved[0] ?? {})).not.toContain('children');
    expect(names(await opened({ snapshot }), 'a')).toEqual(['b']);
  });

  it('takes back all that was recorded behind it, also what is recorded while it fails, and a later one counts', async () => {
    const ledger = await opened();
    await ledger.record(queued('a'));
    journal.refuse = full;
    const refused = [ledger.record(starting('a')), ledger.record(queued('b'))];
    await Promise.resolve();
    refused.push(ledger.record(queued('c')));
    // the journal has refused by now and takes back, the ledger does not know it yet
    await new Promise((resolve) => setImmediate(resolve));
    refused.push(ledger.record(queued('d')));
    expect((await Promise.allSettled(refused)).map(({ status }) => status)).toEqual(Array(4).fill('rejected'));
    expect([...ledger.sessions()].map(({ id, status }) => `${id} ${status}`)).toEqual(['a queued']);
    journal.refuse = () => undefined;
    await Promise.all([ledger.record(queued('e')), ledger.record(starting('a'))]);
    expect(journal.events.map(({ seq, name }) => `${seq} ${name}`)).toEqual([
      '1 session.queued',
      '2 session.queued',
      '3 session.starting',
    ]);
  });

  it('records nothing that could not be read again', async () => {
    const ledger = await opened();
    await ledger.record(queued('a'));
    const odd = { text: 'done', isError: false, turns: Number.NaN };
    const draft: EventDraft = { name: 'session.failed', data: { sessionId: 'a', run: 1, cause: { kind: 'lost' }, result: odd } };
    await expect(ledger.record(draft)).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringContaining('result.turns'),
    });
    expect([ledger.seq, ledger.session('a')?.status]).toEqual([1, 'queued']);
    expect((await opened()).session('a')?.status).toBe('queued');
  });

  it('for any other reason than a full disk tells the caller and tries nothing again', async () => {
    const ledger = await opened();
    journal.refuse = () => new ScopecraftError('STORAGE_FAILED', 'EIO');
    await expect(ledger.record(stopped)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    expect(ledger.seq).toBe(0);
  });
});

describe('a ledger whose clock is set back', () => {
  it('goes on from the time of its newest event, also when it is opened again', async () => {
    let now = 5000;
    const moved = { clock: { ...clock, now: () => now } };
    const ledger = await opened(moved);
    for (now of [5000, 1000, 6000]) await ledger.record(stopped);
    now = 2000;
    await (await opened(moved)).record(stopped);
    expect(journal.events.map(({ at }) => at)).toEqual([5000, 5000, 6000, 6000]);
  });
});

describe('a ledger on a full disk', () => {
  it('takes no new work while the room is too little, and says why', async () => {
    const room = testRoom();
    const ledger = await opened({ room });
    await ledger.record(queued('a'));
    room.words = 'Only 3 MB are free.';
    for (const draft of [queued('b'), starting('a')])
      await expect(ledger.record(draft)).rejects.toMatchObject({ code: 'STORAGE_FULL', message: 'Only 3 MB are free.' });
    expect(() => ledger.expectRoom()).toThrow('Only 3 MB are free.');
    expect(ledger.roomProblem()).toBe('Only 3 MB are free.');
    // what is no new work still goes
    await ledger.record({ name: 'session.cancelled', data: { sessionId: 'a', run: 0, cause: { kind: 'cancelled' } } });
    room.words = undefined;
    await ledger.record(queued('b'));
    expect(ledger.session('b')?.status).toBe('queued');
  });

  it('gives up the reserve for what is no new work and tries it once more; then the caller is told', async () => {
    const room = testRoom();
    const ledger = await opened({ room });
    await ledger.record(queued('a'));
    journal.refuse = () => (room.given > 0 ? undefined : full());
    const cause = { kind: 'cancelled' } as const;
    await ledger.record({ name: 'session.cancelled', data: { sessionId: 'a', run: 0, cause } });
    expect(ledger.session('a')?.status).toBe('cancelled');
    journal.refuse = full;
    await expect(ledger.record(stopped)).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(room.given).toBe(3);
  });

  it('records the end of a run until it can be written; until then the session stays as it was', async () => {
    const room = testRoom();
    const ledger = await opened({ room });
    for (const draft of [queued('a'), starting('a'), started('a'), queued('b'), starting('b'), started('b')])
      await ledger.record(draft);
    journal.refuse = full;
    let done = 0;
    const ends = ['a', 'b'].map((id) => ledger.record(completed(id)).then(() => done++));
    for (let tries = 0; tries < 5; tries++) {
      await turns();
      expect([...ledger.sessions()].map(({ status }) => status)).toEqual(['running', 'running']);
      clock.advance(1_000);
    }
    expect(done).toBe(0);
    journal.refuse = () => undefined;
    await turns();
    clock.advance(1_000);
    await Promise.all(ends);
    expect([...ledger.sessions()].map(({ status }) => status)).toEqual(['completed', 'completed']);
    expect(journal.events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(heard.slice(-2)).toEqual(['7 session.completed', '8 session.completed']);
  });
});

describe('a ledger with a snapshot', () => {
  const memory = () => {
    const saves: SavedState[] = [];
    let loaded: SavedState | 'none' | 'unreadable' = 'none';
    const snapshot: Snapshot = {
      load: async () => loaded,
      async save(state) {
        await new Promise((resolve) => setImmediate(resolve));
        saves.push(structuredClone(state));
        loaded = structuredClone(state);
        return 5000;
      },
    };
    return { snapshot, saves, set: (value: typeof loaded) => (loaded = value) };
  };

  it('saves after 1,000 events what is on disk and nothing else, trims behind the one before, and a start needs only the rest', async () => {
    const { snapshot, saves } = memory();
    const ledger = await opened({ snapshot, historyLimit: () => 100 });
    await ledger.record(queued('a', { requestKey: 'k' }));
    const writing: Promise<number>[] = [];
    for (let n = 0; n < 5_000; n++) {
      writing.push(ledger.record(n === 999 ? queued('late') : stopped));
      if (n % 50 === 0) await turns();
    }
    await Promise.all(writing);
    await turns();
    expect(saves.length).toBeGreaterThanOrEqual(3);
    for (const { seq, sessions } of saves) expect(sessions.every((session) => session.seq <= seq)).toBe(true);
    expect(journal.extent().first).toBe((saves.at(-2)?.seq ?? 0) + 1);
    await ledger.close();
    expect(saves.at(-1)).toMatchObject({ seq: 5001, keys: [{ key: 'k', sessionId: 'a' }] });
    let read = 0;
    const counting: Journal = {
      append: (event) => journal.append(event),
      extent: () => journal.extent(),
      trim: (upTo) => journal.trim(upTo),
      close: () => journal.close(),
      async *read(after) {
        for await (const event of journal.read(after)) {
          read++;
          yield event;
        }
      },
    };
    const again = await openLedger({ journal: counting, clock, node: 'n/2', onListenerError: () => {}, snapshot });
    expect([read, again.seq, again.session('late')?.status, again.requestKey('k')?.sessionId]).toEqual([0, 5001, 'queued', 'a']);
  });

  it('keeps at least the asked number of events', async () => {
    const { snapshot } = memory();
    const ledger = await opened({ snapshot, historyLimit: () => 4_000 });
    for (let n = 0; n < 6_000; n++) {
      void ledger.record(stopped);
      if (n % 50 === 0) await turns();
    }
    await turns();
    expect(journal.events.length).toBeGreaterThanOrEqual(4_000);
    expect(journal.events.length).toBeLessThan(6_000);
    expect(await eventPage(ledger, { limit: 3, after: 0 })).toMatchObject({
      events: [{ seq: ledger.first }, {}, {}],
      total: journal.events.length,
    });
  });

  it('goes on when the state cannot be saved, and says so', async () => {
    const errors: unknown[] = [];
    const snapshot: Snapshot = { load: async () => 'none', save: async () => Promise.reject(full()) };
    const ledger = await opened({ snapshot, onSnapshotError: (error) => errors.push(error) });
    for (let n = 0; n < 2_500; n++) {
      void ledger.record(stopped);
      if (n % 50 === 0) await turns();
    }
    await turns();
    expect(errors).toHaveLength(2);
    expect(journal.events).toHaveLength(2_500);
  });

  it('takes nothing that is missing for empty', async () => {
    const events = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, at): StoredEvent => ({ seq: from + at, at: 1, node: 'n', ...stopped }));
    const cases = [
      { loaded: 'unreadable', journal: events(5, 9), says: /cannot be read and the journal begins with event 5/ },
      { loaded: 'unreadable', journal: [], says: /cannot be read and the journal is empty/ },
      { loaded: 'none', journal: events(5, 9), says: /no snapshot and the journal begins with event 5/ },
      { loaded: 3, journal: events(5, 9), says: /lacks the events 4 to 4/ },
      { loaded: 12, journal: events(5, 9), says: /ends at event 9, but the snapshot already knows event 12/ },
      { loaded: 'unreadable', journal: events(1, 9), says: undefined },
      { loaded: 4, journal: events(5, 9), says: undefined },
      { loaded: 4, journal: [], says: undefined },
    ] as const;
    for (const one of cases) {
      const { snapshot, set } = memory();
      set(typeof one.loaded === 'number' ? { ...savedState(emptyState()), seq: one.loaded, at: 1 } : one.loaded);
      journal = new TestJournal();
      journal.events = [...one.journal];
      if (one.says)
        await expect(opened({ snapshot })).rejects.toMatchObject({
          code: 'STORAGE_CORRUPT',
          message: expect.stringMatching(one.says),
        });
      else expect((await opened({ snapshot })).seq).toBe(one.journal.at(-1)?.seq ?? one.loaded);
    }
  });

  it('calls an event that cannot follow corruption, not a fault of the server', async () => {
    journal.events = [{ seq: 1, at: 1, node: 'n', ...started('ghost') }];
    await expect(opened()).rejects.toMatchObject({
      code: 'STORAGE_CORRUPT',
      message: expect.stringContaining('Event 1 of the journal cannot follow'),
    });
  });
});

describe('pages of events', () => {
  it('are the newest, or go on behind a number, with and without a filter, from memory and from the journal', async () => {
    const ledger = await opened({ keep: 5 });
    for (const id of ['a', 'b', 'c'])
      for (const draft of [queued(id), starting(id), started(id), completed(id)]) await ledger.record(draft);
    const page = async (query: Omit<Parameters<typeof eventPage>[1], 'limit'>, limit = 3) => {
      const { events, total } = await eventPage(ledger, { ...query, limit });
      return [events.map(({ seq }) => seq), total];
    };
    expect(ledger.recent().length).toBeLessThan(7);
    expect(await page({})).toEqual([[10, 11, 12], 12]);
    expect(await page({ after: 0 })).toEqual([[1, 2, 3], 12]);
    expect(await page({ after: 11 })).toEqual([[12], 1]);
    expect(await page({ after: 99 })).toEqual([[], 0]);
    expect(await page({ types: ['session.queued'] })).toEqual([[1, 5, 9], 3]);
    expect(await page({ types: ['session.queued'], after: 1 }, 1)).toEqual([[5], 2]);
    expect(await page({ types: ['session.*'], sessionId: 'a' })).toEqual([[2, 3, 4], 4]);
    expect(await page({ sessionId: 'b', after: 0 })).toEqual([[5, 6, 7], 4]);
    expect(await page({ taskId: 'task-of-c', types: ['session.st*'] })).toEqual([[10, 11], 2]);
    expect(await page({ taskId: 'none' })).toEqual([[], 0]);
    expect(await page({ sessionId: 'gone' })).toEqual([[], 0]);
    expect(await page({ since: clock.now() + 1 })).toEqual([[], 0]);
  });
});
