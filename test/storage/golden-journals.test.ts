// Journals that released versions wrote: each is replayed to the state it had then, alone and behind the snapshot of that version.
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLedger } from '../../core/ledger.ts';
import { openJournal } from '../../storage/embedded/journal.ts';
import { openSnapshot } from '../../storage/embedded/snapshot.ts';
import { fakeClock } from '../support/fake-clock.ts';

const JOURNALS = fileURLToPath(new URL('../fixtures/journals', import.meta.url));
let root = '';

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sc-golden-'));
});

afterEach(() => rm(root, { recursive: true, force: true }));

describe.each(await readdir(JOURNALS))('the journal of version %s', (version) => {
  const folder = path.join(JOURNALS, version);

  it.each(['alone', 'behind its snapshot'])('is replayed %s to the state it had', async (how) => {
    await cp(folder, root, { recursive: true });
    const journal = await openJournal(path.join(root, 'journal'));
    const snapshot = how === 'alone' ? {} : { snapshot: openSnapshot(path.join(root, 'snapshot.json')) };
    const ledger = await openLedger({ journal, clock: fakeClock(), node: 'n/1', onListenerError: () => {}, ...snapshot });
    const expected: unknown = JSON.parse(await readFile(path.join(folder, 'state.json'), 'utf8'));
    const keys = Array.from(ledger.keys(), ([key, used]) => ({ key, ...used }));
    // what this version knows besides was not there then
    expect({
      seq: ledger.seq,
      at: ledger.newest,
      isPaused: ledger.isPaused,
      sessions: [...ledger.sessions()],
      keys,
    }).toMatchObject(Object(expected));
    await journal.close();
  });

  it('can be read to its last event', async () => {
    await cp(folder, root, { recursive: true });
    const journal = await openJournal(path.join(root, 'journal'));
    let count = 0;
    for await (const event of journal.read()) expect(event.seq).toBe(++count);
    expect(count).toBe(journal.extent().last);
    await journal.close();
  });
});
