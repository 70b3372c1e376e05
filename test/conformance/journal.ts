// What every journal must do: keep events in order, give back all that was acknowledged, and share writes.
import { expect, it } from 'vitest';
import type { StoredEvent } from '../../core/events.ts';
import type { Journal } from '../../core/ports.ts';

export function stored(seq: number, reason = 'because'): StoredEvent {
  return { seq, at: 1000 + seq, node: 'test/1', name: 'hub.stopped', data: { reason } };
}

export async function readAll(journal: Journal, after?: number): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const event of journal.read(after)) events.push(event);
  return events;
}

/** `open` opens the same journal each time, as after a restart. */
export function journalConformance(open: () => Promise<Journal>): void {
  it('is empty at first', async () => {
    const journal = await open();
    expect(await readAll(journal)).toEqual([]);
    await journal.close();
  });

  it('gives back after a restart what was acknowledged, in order, also from a number on', async () => {
    const first = await open();
    await readAll(first);
    const order: number[] = [];
    await Promise.all([1, 2, 3].map((seq) => first.append(stored(seq)).then(() => order.push(seq))));
    expect(order).toEqual([1, 2, 3]);
    await first.append(stored(4, 'späte "Zeile"\n\u2028'));
    await first.close();
    const second = await open();
    expect(await readAll(second)).toEqual([stored(1), stored(2), stored(3), stored(4, 'späte "Zeile"\n\u2028')]);
    await second.append(stored(5));
    await second.close();
    const third = await open();
    expect((await readAll(third, 3)).map(({ seq }) => seq)).toEqual([4, 5]);
    await third.close();
  });

  it('knows what it holds, is read also between writes, and takes only the number that follows', async () => {
    const journal = await open();
    expect(journal.extent()).toEqual({ first: 1, last: 0, bytes: 0 });
    for (let seq = 1; seq <= 3; seq++) {
      await journal.append(stored(seq));
      expect((await readAll(journal)).map((event) => event.seq)).toEqual(Array.from({ length: seq }, (_, at) => at + 1));
    }
    expect(journal.extent()).toMatchObject({ first: 1, last: 3 });
    expect(journal.extent().bytes).toBeGreaterThan(0);
    await expect(journal.append(stored(5))).rejects.toMatchObject({ code: 'INTERNAL' });
    await journal.append(stored(4));
    await journal.trim(0);
    expect((await readAll(journal, 2)).map(({ seq }) => seq)).toEqual([3, 4]);
    await journal.close();
  });
}
