// The resource guard: measures what runs use and what the machine has left, says what the line has to wait for, and ends a run that uses too much.
//
// Sampling. While something runs or waits, a sample is begun every `sampleIntervalMs`; sooner when a run grows so fast that it would pass its
// limit before, or when it uses so much that one more piece takes it there. With nothing to do there is none, so the first admission after a rest asks for one and waits until it is there (about 1 ms).
//
// Holding back. `holdReason` answers from the last sample. Runs that were admitted a moment ago have not grown yet: for each of them some memory
// is set aside. `changed` is called when a reason that was given is gone. A guard that cannot measure holds nobody back and says so.
//
// Facts. `resource.exhausted` and `resource.recovered` are recorded when the machine becomes short of something and when it no longer is.
//
// Ending. A run above `maxMemoryPerSession` is stopped, once. The limit is soft: a program may pass it by what it takes between two samples.
import type { AgentEntry } from './agent.ts';
import type { EndCause } from './ending.ts';
import { type Reading, type ResourceType, readings, shortages } from './headroom.ts';
import type { Ledger } from './ledger.ts';
import type { MachineUsage, Meter, RunUsage } from './meter-ports.ts';
import type { Clock, Settings } from './ports.ts';
import { isActive, isSettled, type Session } from './session.ts';
import { bytesOf, sizeText } from './size.ts';

export interface GuardParts {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly settings: Pick<Settings, 'current'>;
  readonly ledger: Pick<Ledger, 'record' | 'subscribe' | 'sessions' | 'session' | 'counts'>;
  readonly stop: (sessionId: string, cause: EndCause) => Promise<void>;
  /** Told when what was held back may start: admission looks again. */
  readonly changed: () => void;
  /** Told when a sample, a record or a stop fails. */
  readonly onError: (error: unknown) => void;
}

export interface Guard {
  /** What every start has to wait for, in words; undefined when the machine has room. */
  holdReason(): string | undefined;
  /** The time before which no other agent of this kind may be started; undefined when one may now. */
  staggeredUntil(kind: AgentEntry['kind']): number | undefined;
  /** To be told at each admission, before the next one is decided. */
  admitted(sessionId: string, kind: AgentEntry['kind']): void;
  /** What the session's run used at the last sample. */
  usage(sessionId: string): RunUsage | undefined;
  /** What was measured of the machine at the last sample, each against its limit. */
  machine(): readonly Reading[];
  /** What the machine is short of. Empty while it is only being measured. */
  shortOf(): readonly ResourceType[];
  /** Measures nothing more; resolves when the sample under way is over. */
  close(): Promise<void>;
}

interface Sample {
  readonly at: number;
  /** Undefined when it could not be measured. */
  readonly machine: MachineUsage | undefined;
  readonly runs: ReadonlyMap<string, RunUsage>;
}

/** Said while there is no fresh sample yet. */
export const MEASURING = 'the machine is being measured';
/** Set aside for a run that was just admitted, less what it already uses. */
export const EXPECTED_BYTES = 256 * 1024 ** 2;
/** How long a run counts as just admitted. */
const GROWING_MS = 5000;
const LEAST_INTERVAL_MS = 250;
/** While a run uses more than half of what it may. */
const NEAR_INTERVAL_MS = 1000;
/** A sample that takes longer holds nobody back any more. */
const STUCK_MS = 10_000;
const MOST_NAMED = 100;

export function createGuard({ clock, meter, settings, ledger, stop, changed, onError }: GuardParts): Guard {
  const stopped = new Set<string>();
  const admissions = new Map<string, number>();
  let lastClaudeAt: number | undefined;
  let last: Sample | undefined;
  let short: readonly ResourceType[] = [];
  let intervalMs = 0;
  let underway: Promise<void> | undefined;
  let underwaySince = 0;
  let disarm: (() => void) | undefined;
  let isHolding = false;
  let isClosed = false;

  const resources = () => settings.current().resources;
  const isBusy = () => {
    const { queued, active } = ledger.counts();
    return queued + active > 0;
  };

  function begin(): void {
    if (isClosed || underway) return;
    disarm?.();
    disarm = undefined;
    underwaySince = clock.elapsed();
    underway = sample()
      .catch(onError)
      .finally(() => {
        underway = undefined;
        if (isClosed) return;
        const sinceMs = clock.elapsed() - underwaySince;
        if (isBusy()) disarm = clock.after(Math.max(LEAST_INTERVAL_MS, intervalMs - sinceMs), begin);
        if (!isHolding || reasonNow() !== undefined) return;
        isHolding = false;
        changed();
      });
  }

  async function sample(): Promise<void> {
    const active = [...ledger.sessions()].filter((session) => isActive(session) && session.run > 0);
    const taken = await measured(active);
    if (isClosed) return;
    intervalMs = nextInterval(last, taken);
    last = taken;
    for (const session of active) enforce(session, taken.runs.get(session.id));
    const keys = new Set(active.map(keyOf));
    for (const key of stopped) if (!keys.has(key)) stopped.delete(key);
    await judge(taken);
  }

  async function measured(active: readonly Session[]): Promise<Sample> {
    try {
      const { machine, runs } = await meter.sample(active.map(({ id, run }) => ({ sessionId: id, run })));
      return { at: clock.elapsed(), machine, runs };
    } catch (error) {
      onError(error);
      return { at: clock.elapsed(), machine: undefined, runs: new Map() };
    }
  }

  /** How long from one sample to the next: half the time the fastest growing run needs to reach its limit, if that is sooner. */
  function nextInterval(before: Sample | undefined, now: Sample): number {
    const { maxMemoryPerSession, sampleIntervalMs } = resources();
    const limit = bytesOf(maxMemoryPerSession);
    let interval = sampleIntervalMs;
    if (limit === 0) return interval;
    const isNear = [...now.runs.values()].some(({ memoryBytes }) => memoryBytes > limit / 2);
    if (isNear) interval = Math.min(interval, NEAR_INTERVAL_MS);
    if (!before || now.at <= before.at) return interval;
    for (const [id, { memoryBytes }] of now.runs) {
      const growth = (memoryBytes - (before.runs.get(id)?.memoryBytes ?? 0)) / (now.at - before.at);
      if (growth > 0) interval = Math.min(interval, Math.max(LEAST_INTERVAL_MS, (limit - memoryBytes) / growth / 2));
    }
    return interval;
  }

  function enforce(session: Session, usage: RunUsage | undefined): void {
    const limit = bytesOf(resources().maxMemoryPerSession);
    if (!usage || limit === 0 || usage.memoryBytes <= limit || stopped.has(keyOf(session))) return;
    stopped.add(keyOf(session));
    const reason = `its ${usage.processes} processes used ${sizeText(usage.memoryBytes)}; at most ${sizeText(limit)} are allowed`;
    stop(session.id, { kind: 'memory', reason }).catch(onError);
  }

  async function judge({ machine }: Sample): Promise<void> {
    if (!machine) return;
    const before = short;
    const now = readings(machine, resources());
    short = shortages(machine, resources(), new Set(before));
    for (const { reason: _reason, resourceType, ...amounts } of now) {
      const isShort = short.includes(resourceType);
      if (isShort === before.includes(resourceType)) continue;
      const name = isShort ? 'resource.exhausted' : 'resource.recovered';
      await ledger.record({ name, data: { resourceType, ...amounts, affectedSessions: waiting() } });
    }
  }

  function waiting(): string[] {
    const queued = [...ledger.sessions()].filter(({ status }) => status === 'queued');
    return queued
      .sort((a, b) => a.queuedSeq - b.queuedSeq)
      .slice(0, MOST_NAMED)
      .map(({ id }) => id);
  }

  /** What stands against a start by the last sample. */
  function reasonNow(): string | undefined {
    const now = clock.elapsed();
    const isFresh = last && now - last.at < 2 * Math.max(intervalMs, resources().sampleIntervalMs);
    if (!isFresh) begin();
    if (!isFresh && now - underwaySince < STUCK_MS) return MEASURING;
    if (!last?.machine) return undefined;
    const { machine } = last;
    const first = readings(machine, resources()).find(({ resourceType }) => short.includes(resourceType));
    return first?.reason ?? setAsideReason(machine.freeMemoryBytes);
  }

  function setAsideReason(freeBytes: number): string | undefined {
    const least = bytesOf(resources().minFreeMemory);
    let setAside = 0;
    for (const [id, at] of admissions) {
      if (clock.elapsed() - at >= GROWING_MS) admissions.delete(id);
      else setAside += Math.max(0, EXPECTED_BYTES - (last?.runs.get(id)?.memoryBytes ?? 0));
    }
    if (least === 0 || setAside === 0 || freeBytes - setAside >= least) return undefined;
    return `${sizeText(freeBytes)} of memory are free, ${sizeText(setAside)} set aside for sessions just started, ${sizeText(least)} must stay free`;
  }

  const unsubscribe = ledger.subscribe((event) => {
    if (event.name === 'session.spoke' || !('sessionId' in event.data)) return;
    const session = ledger.session(event.data.sessionId);
    if (!session) return;
    if (isSettled(session)) admissions.delete(session.id);
    else if (!disarm) begin();
  });
  if (isBusy()) begin();

  return {
    holdReason() {
      const reason = reasonNow();
      if (reason !== undefined) isHolding = true;
      return reason;
    },
    staggeredUntil(kind) {
      if (kind !== 'claude' || lastClaudeAt === undefined) return undefined;
      const until = lastClaudeAt + resources().staggerMs;
      // a clock that was set back must not make anybody wait
      return clock.now() >= lastClaudeAt && clock.now() < until ? until : undefined;
    },
    admitted(sessionId, kind) {
      admissions.set(sessionId, clock.elapsed());
      if (kind === 'claude') lastClaudeAt = clock.now();
    },
    usage: (sessionId) => last?.runs.get(sessionId),
    machine: () => (last?.machine ? readings(last.machine, resources()) : []),
    shortOf: () => (last?.machine ? short : []),
    async close() {
      isClosed = true;
      unsubscribe();
      disarm?.();
      await underway;
    },
  };
}

function keyOf({ id, run }: Session): string {
  return `${id} ${run}`;
}
