// A journal in memory, for what the ledger does when writes fail.
import type { StoredEvent } from '../../core/events.ts';
import type { Journal } from '../../core/ports.ts';

/** A journal in memory that writes in batches, refuses a batch with all behind it while `refuse` says so, and keeps its promise about numbers. */
export class TestJournal implements Journal {
  events: StoredEvent[] = [];
  refuse: (batch: readonly StoredEvent[]) => Error | undefined = () => undefined;
  appended = 0;
  #taken: number | undefined;
  #failure: Error | undefined;
  #waiting: { event: StoredEvent; resolve: () => void; reject: (error: unknown) => void }[] = [];
  #isWriting = false;

  append(event: StoredEvent): Promise<void> {
    return new Promise((resolve, reject) => {
      const next = (this.#taken ?? event.seq - 1) + 1;
      if (event.seq !== next) return reject(this.#failure ?? new Error(`${event.seq} is not ${next}`));
      this.#taken = event.seq;
      this.#waiting.push({ event: structuredClone(event), resolve, reject });
      if (!this.#isWriting) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    for (this.#isWriting = true; this.#waiting.length > 0; ) {
      const batch = this.#waiting;
      this.#waiting = [];
      await new Promise((resolve) => setImmediate(resolve));
      const why = this.refuse(batch.map(({ event }) => event));
      if (why) {
        const refused = [...batch, ...this.#waiting];
        this.#waiting = [];
        this.#failure = why;
        this.#taken = this.events.at(-1)?.seq;
        await new Promise((resolve) => setImmediate(resolve));
        for (const entry of refused) entry.reject(why);
      } else {
        this.events.push(...batch.map(({ event }) => event));
        this.appended += batch.length;
        for (const entry of batch) entry.resolve();
      }
    }
    this.#isWriting = false;
  }

  async *read(after = 0): AsyncGenerator<StoredEvent> {
    for (const event of [...this.events]) if (event.seq > after) yield event;
  }

  extent() {
    const first = this.events[0]?.seq ?? 1;
    return { first, last: this.events.at(-1)?.seq ?? first - 1, bytes: this.appended * 300 };
  }

  async trim(upTo: number) {
    this.events = this.events.filter(({ seq }) => seq > upTo);
  }

  async close() {}
}
