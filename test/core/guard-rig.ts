// A guard over a fake clock, a meter that says what a test wants, and as much of a ledger as it needs.
import type { z } from 'zod';
import { Config } from '../../core/config.ts';
import type { EndCause } from '../../core/ending.ts';
import { type StoredEvent, sessionOf } from '../../core/events.ts';
import { createGuard, type Guard, type GuardParts } from '../../core/guard.ts';
import type { Listener } from '../../core/ledger.ts';
import type { MachineUsage, Meter, RunUsage } from '../../core/meter-ports.ts';
import type { Clock } from '../../core/ports.ts';
import { isActive, isSettled, type Session } from '../../core/session.ts';
import { apply } from '../../core/session-fold.ts';
import { fakeClock } from '../support/fake-clock.ts';

export const GB = 1024 ** 3;
export const MB = 1024 ** 2;
export const ROOMY: MachineUsage = { freeMemoryBytes: 8 * GB, cpuLoad: 0.5, memoryPressure: 0 };

export function open(resources: z.input<typeof Config>['resources'] = {}) {
  const clock = fakeClock();
  const errors: unknown[] = [];
  const events: StoredEvent[] = [];
  const stops: { sessionId: string; cause: EndCause }[] = [];
  const asked: string[][] = [];
  const state = { machine: ROOMY, runs: new Map<string, RunUsage>(), fails: false, changes: 0 };
  let hold: Promise<void> = Promise.resolve();
  const ledger = memoryLedger(clock, events);
  const meter: Meter = {
    async sample(runs) {
      asked.push(runs.map(({ sessionId, run }) => `${sessionId} ${run}`));
      await hold;
      if (state.fails) throw new Error('no /proc');
      return {
        machine: state.machine,
        runs: new Map([...state.runs].filter(([id]) => runs.some(({ sessionId }) => sessionId === id))),
      };
    },
  };
  const settings = { config: Config.parse({ resources: { maxCpuLoad: 4, ...resources } }) };
  const make = (): Guard =>
    createGuard({
      clock,
      meter,
      settings: { current: () => settings.config },
      ledger,
      stop: async (sessionId, cause) => {
        stops.push({ sessionId, cause });
        if (sessionId === 'unstoppable') throw new Error('it does not stop');
      },
      changed: () => {
        state.changes++;
      },
      onError: (error) => errors.push(error),
    });
  const settle = async () => {
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    clock,
    errors,
    ledger,
    stops,
    asked,
    state,
    settings,
    make,
    settle,
    /** Moves the time on and lets what was due happen. */
    async pass(ms: number) {
      clock.advance(ms);
      await settle();
    },
    /** Holds samples back until the answer is called. */
    block() {
      let release = () => {};
      hold = new Promise((resolve) => {
        release = resolve;
      });
      return () => release();
    },
    use(sessionId: string, memoryBytes: number, processes = 3) {
      state.runs.set(sessionId, { memoryBytes, cpu: 0, processes });
    },
    facts: () => events.filter(({ name }) => name.startsWith('resource.')).map(({ name, data }) => ({ name, ...data })),
  };
}

/** As much of a ledger as a guard needs, with nothing behind it. */
function memoryLedger(clock: Clock, events: StoredEvent[]): GuardParts['ledger'] {
  const sessions = new Map<string, Session>();
  const listeners = new Set<Listener>();
  return {
    async record(draft) {
      const event: StoredEvent = { seq: events.length + 1, at: clock.now(), node: 'test/1', ...draft };
      events.push(event);
      const id = sessionOf(event);
      if (id !== undefined) sessions.set(id, apply(sessions.get(id), event));
      await Promise.resolve();
      for (const listener of listeners) listener(event);
      return event.seq;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    session: (id) => sessions.get(id),
    sessions: () => sessions.values(),
    counts() {
      const all = [...sessions.values()];
      const active = all.filter(isActive).length;
      const settled = all.filter(isSettled).length;
      return { active, settled, queued: all.length - active - settled };
    },
  };
}

export async function queued(ledger: GuardParts['ledger'], sessionId: string): Promise<void> {
  const data = {
    sessionId,
    type: 'autonomous',
    taskId: sessionId,
    taskTitle: 'T',
    agent: 'claude',
    cwd: '/w',
    priority: 'medium',
    prompt: 'p',
    by: 'a test',
    position: 1,
  } as const;
  await ledger.record({ name: 'session.queued', data });
}

export async function running(ledger: GuardParts['ledger'], sessionId: string, run = 1): Promise<void> {
  const session = ledger.session(sessionId);
  if (!session) await queued(ledger, sessionId);
  else if (isSettled(session))
    await ledger.record({
      name: 'session.reopened',
      data: { sessionId, promptId: `p${run}`, prompt: 'on', by: 'me', mode: 'queue', orderKey: run, resume: true },
    });
  await ledger.record({ name: 'session.starting', data: { sessionId, run, resume: false } });
  await ledger.record({ name: 'session.started', data: { sessionId, run, process: { pid: 1, startedAt: '1' } } });
}

export async function done(ledger: GuardParts['ledger'], sessionId: string, run = 1): Promise<void> {
  await ledger.record({ name: 'session.completed', data: { sessionId, run, cause: { kind: 'done' } } });
}
