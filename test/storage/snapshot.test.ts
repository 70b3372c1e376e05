// The snapshot on disk: whole or not there, never silently empty, and written without holding up the hub.
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoredEvent } from '../../core/events.ts';
import { openLedger } from '../../core/ledger.ts';
import { changeOf, emptyState, restoredState, savedState, take } from '../../core/ledger-state.ts';
import type { SavedState } from '../../core/ports.ts';
import { openJournal } from '../../storage/embedded/journal.ts';
import { openSnapshot } from '../../storage/embedded/snapshot.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { queuedEvent } from '../support/queued-event.ts';
import { CAN_MOUNT, mountSmallDisk } from '../support/small-disk.ts';

let root = '';
const file = () => path.join(root, 'snapshot.json');

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sc-snapshot-'));
});

afterEach(() => rm(root, { recursive: true, force: true }));

/** The state after so many sessions were queued, each with a prompt of that length. */
function stateOf(count: number, length = 20): SavedState {
  const state = emptyState();
  for (let seq = 1; seq <= count; seq++) {
    const data = {
      sessionId: `s-${seq}`,
      type: 'autonomous',
      taskId: `t-${seq}`,
      taskTitle: 'T “1”',
      agent: 'demo',
      cwd: '/w',
      priority: 'medium',
      prompt: 'ü'.repeat(length),
      by: 'test',
      position: 1,
      requestKey: `k-${seq}`,
      rule: { id: `rule-${seq % 3}`, version: 'v' },
    } as const;
    take(state, changeOf(state, { seq, at: 1000 + seq, node: 'n/1', name: 'session.queued', data }));
  }
  return savedState(state);
}

const names = async () => (await readdir(root)).sort();

describe('a snapshot', () => {
  it('is none at first, then what was saved last, and the one before it is kept', async () => {
    const snapshot = openSnapshot(file());
    expect(await snapshot.load()).toBe('none');
    for (const count of [1, 2, 3]) await snapshot.save(stateOf(count));
    expect(await openSnapshot(file()).load()).toEqual(stateOf(3));
    expect(await names()).toEqual(['snapshot.json', 'snapshot.json.bak']);
    await rm(file());
    expect(await openSnapshot(file()).load()).toEqual(stateOf(2));
  });

  it('keeps that the line is paused', async () => {
    const state = { ...stateOf(1), isPaused: true, pauseReason: 'the "build" is broken' };
    await openSnapshot(file()).save(state);
    expect(await openSnapshot(file()).load()).toEqual(state);
  });

  it('keeps the settings that a call changed, for the next ledger too', async () => {
    const state = restoredState(stateOf(1));
    const set = { 'resources.maxConcurrentSessions': 7, 'queue.retryPolicy.retryOn': ['lost'] };
    const data = { set, reset: [], by: 'test' };
    take(state, changeOf(state, { seq: 2, at: 2000, node: 'n/1', name: 'config.changed', data }));
    await openSnapshot(file()).save(savedState(state));
    const journal = await openJournal(path.join(root, 'journal'));
    const snapshot = openSnapshot(file());
    const ledger = await openLedger({ journal, snapshot, clock: fakeClock(), node: 'n/2', onListenerError: () => {} });
    expect([ledger.seq, ledger.overrides]).toEqual([2, set]);
    await ledger.close();
  });

  it('cut at any byte is put aside, and the one before is used', async () => {
    const snapshot = openSnapshot(file());
    await snapshot.save(stateOf(1));
    await snapshot.save(stateOf(2));
    const bytes = await readFile(file());
    const before = await readFile(`${file()}.bak`);
    for (let cut = 0; cut < bytes.length; cut += 23) {
      for (const name of await names()) await rm(path.join(root, name));
      await writeFile(file(), bytes.subarray(0, cut));
      await writeFile(`${file()}.bak`, before);
      expect(await openSnapshot(file()).load(), `cut at ${cut}`).toEqual(stateOf(1));
      const aside = (await names()).filter((name) => name.includes('.unreadable-'));
      expect(aside).toHaveLength(1);
      expect((await readFile(path.join(root, aside[0] ?? ''))).length).toBe(cut);
    }
  });

  it('with any byte changed is never taken for another state', async () => {
    await openSnapshot(file()).save(stateOf(2));
    const bytes = await readFile(file());
    for (let at = 0; at < bytes.length; at += 3) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      await writeFile(file(), damaged);
      expect(await openSnapshot(file()).load(), `byte ${at}`).toBe('unreadable');
      for (const name of await names()) await rm(path.join(root, name));
    }
  });

  it('that is unreadable with the one before is not the same as none', async () => {
    const snapshot = openSnapshot(file());
    await snapshot.save(stateOf(1));
    await snapshot.save(stateOf(2));
    await truncate(file(), 50);
    await truncate(`${file()}.bak`, 50);
    expect(await openSnapshot(file()).load()).toBe('unreadable');
    // put aside by now; what they were is still not known
    expect(await openSnapshot(file()).load()).toBe('unreadable');
    expect((await names()).filter((name) => name.includes('.unreadable-'))).toHaveLength(2);
  });

  it('of a newer version is not touched', async () => {
    await openSnapshot(file()).save(stateOf(1));
    const text = (await readFile(file(), 'utf8')).replace('"version":1', '"version":2');
    const body = text.slice(0, text.indexOf(',"check"'));
    const { crc32 } = await import('node:zlib');
    await writeFile(file(), `${body},"check":"${crc32(body).toString(16).padStart(8, '0')}"}\n`);
    await expect(openSnapshot(file()).load()).rejects.toMatchObject({
      code: 'HUB_VERSION',
      message: expect.stringContaining('newer version'),
    });
    expect(await names()).toEqual(['snapshot.json']);
  });

  it('leaves nothing of a save that a kill cut short', async () => {
    await writeFile(path.join(root, '.snapshot.json.1-2.tmp'), 'half');
    expect(await openSnapshot(file()).load()).toBe('none');
    expect(await names()).toEqual([]);
  });

  it('of 10,000 sessions with 4 KB each is saved without holding up the hub for long', async () => {
    const state = stateOf(10_000, 2_000);
    const snapshot = openSnapshot(file());
    await snapshot.save(state);
    const delays = monitorEventLoopDelay({ resolution: 1 });
    delays.enable();
    const bytes = await snapshot.save(state);
    delays.disable();
    expect(bytes).toBeGreaterThan(40_000_000);
    // measured: 2 ms for a piece; the limit leaves room for a busy machine
    expect(delays.percentile(90) / 1e6).toBeLessThan(50);
    expect(await snapshot.load()).toEqual(state);
  });

  it.runIf(CAN_MOUNT)('on a full disk fails with STORAGE_FULL, and the one that is there stands', async () => {
    const disk = mountSmallDisk(path.join(root, 'disk'), 1024 * 1024);
    try {
      const snapshot = openSnapshot(path.join(disk.folder, 'snapshot.json'));
      await snapshot.save(stateOf(10));
      await expect(snapshot.save(stateOf(400, 5_000))).rejects.toMatchObject({ code: 'STORAGE_FULL' });
      expect(await snapshot.load()).toEqual(stateOf(10));
      expect((await readdir(disk.folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    } finally {
      disk.unmount();
    }
  });
});

describe('a ledger on disk with its snapshot', () => {
  const stopped = { name: 'hub.stopped', data: { reason: 'x'.repeat(200) } } as const;
  const open = async () => {
    const journal = await openJournal(path.join(root, 'journal'), { segmentEvents: 500 });
    const ledger = await openLedger({
      journal,
      clock: fakeClock(),
      node: 'n/1',
      onListenerError: () => {},
      snapshot: openSnapshot(file()),
      historyLimit: () => 1_000,
      onSnapshotError: (error) => expect(error).toBeUndefined(),
    });
    return { ledger, journal, close: () => ledger.close().then(() => journal.close()) };
  };
  const recorded = async (count: number) => {
    const { ledger, close } = await open();
    await ledger.record(queuedEvent('kept')).catch(() => undefined);
    for (let n = 0; n < count; n += 100) await Promise.all(Array.from({ length: 100 }, () => ledger.record(stopped)));
    await close();
    return ledger.seq;
  };

  it('trims whole segments, never behind the snapshot before the last, and reads old events from disk', async () => {
    const last = await recorded(6_000);
    const { ledger, journal, close } = await open();
    expect(ledger.seq).toBe(last);
    expect(ledger.session('kept')?.status).toBe('queued');
    expect(journal.extent().first).toBeGreaterThan(1);
    expect(last - journal.extent().first + 1).toBeGreaterThanOrEqual(1_000);
    const seqs: number[] = [];
    for await (const event of ledger.history(0)) seqs.push(event.seq);
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, at) => journal.extent().first + at));
    expect(seqs.at(-1)).toBe(last);
    await close();
  });

  it('starts from the one before when the snapshot is cut, with nothing lost', async () => {
    const last = await recorded(6_000);
    await truncate(file(), 100);
    const { ledger, close } = await open();
    expect([ledger.seq, ledger.session('kept')?.status]).toEqual([last, 'queued']);
    await close();
  });

  it('says STORAGE_CORRUPT when both are cut and the beginning of the journal was trimmed', async () => {
    await recorded(6_000);
    await truncate(file(), 100);
    await truncate(`${file()}.bak`, 100);
    await expect(open()).rejects.toMatchObject({
      code: 'STORAGE_CORRUPT',
      message: expect.stringMatching(/cannot be read and the journal begins with event \d+/),
    });
  });

  it('replays everything when both are cut and the journal is whole', async () => {
    const last = await recorded(500);
    await truncate(file(), 100);
    const { ledger, close } = await open();
    expect([ledger.seq, ledger.session('kept')?.status]).toEqual([last, 'queued']);
    await close();
  });

  it('reads on while it is trimmed and written', async () => {
    const { ledger, close } = await open();
    for (let n = 0; n < 30; n++) await Promise.all(Array.from({ length: 100 }, () => ledger.record(stopped)));
    const read: StoredEvent[] = [];
    for await (const event of ledger.history(0)) {
      read.push(event);
      if (read.length % 300 === 0) await Promise.all(Array.from({ length: 400 }, () => ledger.record(stopped)));
    }
    expect(read.length).toBeGreaterThan(1_000);
    expect(read.every((event, at) => at === 0 || event.seq > (read[at - 1]?.seq ?? 0))).toBe(true);
    await close();
  });
});
