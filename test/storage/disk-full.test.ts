// A full disk, and writes that fail at any point: what was acknowledged stays, what was refused is nowhere, and work goes on when there is space.
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoredEvent } from '../../core/events.ts';
import { openLedger } from '../../core/ledger.ts';
import { openJournal } from '../../storage/embedded/journal.ts';
import { BALLAST_BYTES, type OpenRoom, openRoom } from '../../storage/embedded/room.ts';
import { openSnapshot } from '../../storage/embedded/snapshot.ts';
import { readAll, stored } from '../conformance/journal.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { queuedEvent } from '../support/queued-event.ts';
import { CAN_MOUNT, type LimitedDisk, limitedDisk, mountSmallDisk, noSpace, type SmallDisk } from '../support/small-disk.ts';

let root = '';
let disk: SmallDisk | undefined;
let room: OpenRoom | undefined;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sc-full-'));
});

afterEach(async () => {
  room?.close();
  disk?.unmount();
  [room, disk] = [undefined, undefined];
  await rm(root, { recursive: true, force: true });
});

const folder = () => path.join(root, 'journal');
const seqs = (events: readonly StoredEvent[]) => events.map(({ seq }) => seq);

async function onDisk(): Promise<number[]> {
  const journal = await openJournal(folder());
  const events = await readAll(journal);
  await journal.close();
  return seqs(events);
}

describe('a journal whose disk takes no more', () => {
  it('refuses what does not fit with all behind it, keeps what was acknowledged, and goes on when there is space: for every size of the disk', async () => {
    const whole = [1, 2, 3, 4].reduce((sum, seq) => sum + JSON.stringify(stored(seq)).length + 10, 0);
    for (let left = 0; left <= whole; left += 7) {
      await rm(folder(), { recursive: true, force: true });
      const limited = limitedDisk(left);
      const journal = await openJournal(folder(), { openSegment: limited.openSegment });
      const first = await Promise.allSettled([journal.append(stored(1)), journal.append(stored(2))]);
      const acknowledged = first.filter(({ status }) => status === 'fulfilled').length;
      const second = await Promise.allSettled([acknowledged + 1, acknowledged + 2].map((seq) => journal.append(stored(seq))));
      for (const result of [...first, ...second])
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'STORAGE_FULL' });
      const kept = acknowledged + second.filter(({ status }) => status === 'fulfilled').length;
      expect(seqs(await readAll(journal)), `with ${left} bytes`).toEqual(Array.from({ length: kept }, (_, at) => at + 1));
      limited.left = Number.POSITIVE_INFINITY;
      await journal.append(stored(kept + 1));
      await journal.close();
      expect(await onDisk(), `with ${left} bytes`).toEqual(Array.from({ length: kept + 1 }, (_, at) => at + 1));
    }
  });

  it('whichever call fails, has old or new state and never half of it', async () => {
    for (const deed of ['open', 'write', 'datasync', 'stat'] as const) {
      for (let failing = 1; failing <= 3; failing++) {
        const limited = limitedDisk();
        let count = 0;
        limited.onCall = (called) => {
          if (called === deed && ++count === failing) throw noSpace();
        };
        const { acknowledged, events } = await appended(limited);
        expect(acknowledged, `${deed} ${failing}`).toHaveLength(7);
        expect(events, `${deed} ${failing}`).toEqual(acknowledged);
      }
    }
  });

  it('where half a line was written and cannot be taken back at once, takes it back before the next one', async () => {
    for (let failing = 1; failing <= 4; failing++) {
      const limited = limitedDisk();
      let writes = 0;
      limited.onCall = (called) => {
        if (called === 'truncate') throw noSpace();
        if (called === 'write') limited.left = ++writes === failing ? 30 : writes === failing + 1 ? 0 : Number.POSITIVE_INFINITY;
      };
      const { acknowledged, events } = await appended(limited);
      expect(acknowledged).toHaveLength(7);
      expect(events).toEqual(acknowledged);
    }
  });

  /** Tries eight times to append the next event, in segments of two; answers what was acknowledged and what is found on disk. */
  async function appended(limited: LimitedDisk) {
    await rm(folder(), { recursive: true, force: true });
    const journal = await openJournal(folder(), { openSegment: limited.openSegment, segmentEvents: 2 });
    const acknowledged: number[] = [];
    for (let tries = 0; tries < 8; tries++) {
      const seq = acknowledged.length + 1;
      await journal.append(stored(seq)).then(
        () => acknowledged.push(seq),
        () => undefined,
      );
    }
    await journal.close();
    return { acknowledged, events: await onDisk() };
  }

  it('refuses numbers that follow on what was refused, so that no gap is ever written', async () => {
    const limited = limitedDisk(0);
    const journal = await openJournal(folder(), { openSegment: limited.openSegment });
    await expect(journal.append(stored(1))).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    limited.left = Number.POSITIVE_INFINITY;
    await journal.append(stored(1));
    await expect(journal.append(stored(3))).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    await journal.append(stored(2));
    await journal.close();
    expect(await onDisk()).toEqual([1, 2]);
  });

  it('whose files were removed while it was open acknowledges nothing more', async () => {
    const journal = await openJournal(folder());
    await journal.append(stored(1));
    await rm(folder(), { recursive: true });
    await expect(journal.append(stored(2))).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringContaining('was removed while the hub ran'),
    });
    await expect(journal.append(stored(2))).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await journal.close();
  });
});

describe('the room on the disk', () => {
  const clock = fakeClock();
  const turn = async () => {
    for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
  };

  it('is a problem below the asked space and none above it; the ballast lies ready', async () => {
    let free = 300 * 1024 * 1024;
    const told: unknown[] = [];
    room = await openRoom({
      file: path.join(root, 'ballast'),
      minFreeBytes: () => 200 * 1024 * 1024,
      clock,
      onChange: (problem) => told.push(problem),
      freeBytes: async () => free,
    });
    expect(room.problem()).toBeUndefined();
    expect((await stat(path.join(root, 'ballast'))).size).toBe(BALLAST_BYTES);
    free = 100 * 1024 * 1024;
    clock.advance(2_000);
    await expect
      .poll(() => room?.problem())
      .toBe('The disk of the state folder has only 100 MB free; at least 200 MB must be (storage.minFreeDisk).');
    free = 201 * 1024 * 1024;
    await turn();
    clock.advance(1_000);
    await expect.poll(() => room?.problem()).toBeUndefined();
    expect(told).toEqual([expect.stringContaining('100 MB'), undefined]);
  });

  it('stays a problem while the ballast is given up, until there is space for it again; an asked space of 0 asks for no more than that', async () => {
    let free = 0;
    const file = path.join(root, 'ballast');
    room = await openRoom({ file, minFreeBytes: () => 0, clock, onChange: () => {}, freeBytes: async () => free });
    expect(room.problem()).toContain('full');
    free = 10 * BALLAST_BYTES;
    expect(await room.look()).toBeUndefined();
    free = BALLAST_BYTES / 2;
    expect(await room.look()).toBeUndefined();
    await room.giveReserve();
    await expect(stat(file)).rejects.toThrow('ENOENT');
    expect(await room.look()).toContain('full');
    free = 10 * BALLAST_BYTES;
    expect(await room.look()).toBeUndefined();
    // next to nothing: given up without being asked for
    free = 1000;
    expect(await room.look()).toContain('full');
    await expect(stat(file)).rejects.toThrow('ENOENT');
    free = 10 * BALLAST_BYTES;
    expect(await room.look()).toBeUndefined();
    expect((await stat(file)).size).toBe(BALLAST_BYTES);
  });
});

describe.runIf(CAN_MOUNT)('a real disk of 4 MB that is filled to the last byte', () => {
  it('refuses new work with STORAGE_FULL, records ends and a cancel from its ballast, and takes work again when there is space', async () => {
    const small = mountSmallDisk(path.join(root, 'state'), 4 * 1024 * 1024);
    disk = small;
    const clock = fakeClock();
    room = await openRoom({ file: path.join(small.folder, 'ballast'), minFreeBytes: () => 0, clock, onChange: () => {} });
    const open = async () => {
      const journal = await openJournal(path.join(small.folder, 'journal'));
      const snapshot = openSnapshot(path.join(small.folder, 'snapshot.json'));
      const ledger = await openLedger({
        journal,
        clock,
        node: 'n/1',
        onListenerError: () => {},
        snapshot,
        ...(room && { room }),
      });
      return { journal, ledger };
    };
    const { journal, ledger } = await open();
    const queued = (sessionId: string) => queuedEvent(sessionId, { prompt: 'x'.repeat(5000) });
    for (const id of ['runs', 'waits']) await ledger.record(queued(id));
    await ledger.record({ name: 'session.starting', data: { sessionId: 'runs', run: 1, resume: false } });
    await ledger.record({ name: 'session.started', data: { sessionId: 'runs', run: 1, process: { pid: 7, startedAt: 'x' } } });
    await small.fill();
    // whatever fits into the last page of the file still fits
    let refused = 0;
    for (let n = 0; n < 3; n++)
      await ledger
        .record(queued(`new-${n}`))
        .catch((error: { code: string }) => ++refused && expect(error.code).toBe('STORAGE_FULL'));
    expect(refused).toBeGreaterThanOrEqual(2);
    expect(ledger.roomProblem()).toContain('full');
    const before = ledger.seq;
    await ledger.record({
      name: 'session.cancelled',
      data: { sessionId: 'waits', run: 0, cause: { kind: 'cancelled', by: 'me' } },
    });
    await ledger.record({ name: 'session.completed', data: { sessionId: 'runs', run: 1, cause: { kind: 'done' } } });
    expect(ledger.seq).toBe(before + 2);
    await ledger.close();
    await journal.close();
    const again = await open();
    expect([...again.ledger.sessions()].map(({ id, status }) => [id, status]).slice(0, 2)).toEqual([
      ['runs', 'completed'],
      ['waits', 'cancelled'],
    ]);
    await small.empty();
    expect(await room.look()).toBeUndefined();
    await again.ledger.record(queued('later'));
    expect(again.ledger.session('later')?.status).toBe('queued');
    await again.ledger.close();
    await again.journal.close();
  });
});
