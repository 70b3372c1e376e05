// Mends a damaged journal on a person's word: what is good is kept, what is gone is named, and the damaged files stay beside it.
//
// Each segment with damage is kept as `<segment>.damaged-<time>` and written anew with its good events; where a number is gone a `journal.lost`
// takes its place, so that numbers have no gaps. The state is added up anew from the snapshot and the good events: one that cannot follow, because
// one before it is gone, still says how its session stands, and is believed. A session whose beginning is gone is not known any more. One that
// the damaged bytes name and that waits in the line may have been cancelled or started there: it is ended as failed, never run again.
import { link } from 'node:fs/promises';
import path from 'node:path';
import { ScopecraftError } from '../../core/errors.ts';
import type { StoredEvent } from '../../core/events.ts';
import { openLedger } from '../../core/ledger.ts';
import { type Change, changeOf, emptyState, type LedgerState, restoredState, savedState, take } from '../../core/ledger-state.ts';
import type { Clock } from '../../core/ports.ts';
import { STATUSES } from '../../core/session.ts';
import { apply } from '../../core/session-fold.ts';
import { writeAtomic } from '../atomic-write.ts';
import { openJournal } from './journal.ts';
import { checkJournal, findingsOf, type JournalCheck } from './journal-check.ts';
import { lineOf, segmentsIn } from './journal-records.ts';
import { openSnapshot, peekSnapshot } from './snapshot.ts';

export interface RepairPlan {
  readonly check: JournalCheck;
  /** What a hub that starts on it would stumble over, in sentences; none means that nothing need be repaired. */
  readonly problems: readonly string[];
  /** Numbers of the events that are gone, `from` to `to`, and how many they are. */
  readonly lost: readonly { readonly from: number; readonly to: number }[];
  readonly lostEvents: number;
  /** Sessions the damaged bytes name. */
  readonly named: readonly string[];
  /** Of those: they wait in the line, and would be ended as failed. */
  readonly doubtful: readonly string[];
  /** Sessions whose beginning is gone, so that they are not known any more. */
  readonly unknown: readonly string[];
  /** Segments that would be written anew. */
  readonly files: readonly string[];
  readonly state: LedgerState;
}

/** What is wrong with the journal and the snapshot in a state folder, and what a repair would do. Changes nothing. Fails with HUB_VERSION. */
export async function planRepair(stateDir: string): Promise<RepairPlan> {
  const folder = path.join(stateDir, 'journal');
  // in this order: a hub that works meanwhile makes the journal longer, never shorter than the snapshot
  const saved = await peekSnapshot(path.join(stateDir, 'snapshot.json'));
  const check = await checkJournal(folder);
  const state = typeof saved === 'object' ? restoredState(saved) : emptyState();
  const before = { from: state.seq + 1, to: check.first - 1 };
  const behind = { from: check.last + 1, to: state.seq };
  const unknown = new Set<string>();
  const isEmpty = check.events === 0;
  for await (const found of findingsOf(folder)) {
    if (found.kind !== 'event' || found.event.seq <= state.seq) continue;
    const change = lenientChange(state, found.event);
    if (change) take(state, change);
    else if ('sessionId' in found.event.data) unknown.add(found.event.data.sessionId);
    state.seq = found.event.seq;
  }
  const lost = [...(isEmpty ? [] : [before]), ...check.damages, ...(isEmpty ? [] : [behind])]
    .filter(({ from, to }) => to >= from)
    .map(({ from, to }) => ({ from, to }));
  const named = [...new Set(check.damages.flatMap(({ sessions }) => sessions))];
  const problems = [
    ...(isEmpty && saved === 'unreadable'
      ? ['The snapshot cannot be read and the journal is empty: no session is known any more.']
      : []),
    ...check.damages.map(
      ({ file, line, byte, from, to }) =>
        `${file}${line === undefined ? '' : ` is damaged at line ${line}, byte ${byte}`}: ${goneText(from, to)}.`,
    ),
    ...(!isEmpty && before.to >= before.from
      ? [
          `The journal begins with event ${check.first} and no snapshot that can be read reaches so far: ${goneText(before.from, before.to)}.`,
        ]
      : []),
    ...(!isEmpty && behind.to >= behind.from
      ? [
          `The journal ends at event ${check.last}, but the snapshot already knows event ${behind.to}: only the history of ${behind.to - behind.from + 1} events is gone.`,
        ]
      : []),
  ];
  return {
    check,
    problems,
    lost,
    lostEvents: lost.reduce((sum, { from, to }) => sum + to - from + 1, 0),
    named,
    doubtful: named.filter((id) => state.sessions.get(id)?.status === 'queued'),
    unknown: [...unknown].filter((id) => !state.sessions.has(id)),
    files: await filesToWrite(folder, check, behind),
    state,
  };
}

/** Does what the plan says. The workspace must be claimed. Answers what the damaged files are called now. */
export async function repair(stateDir: string, plan: RepairPlan, clock: Clock): Promise<readonly string[]> {
  const folder = path.join(stateDir, 'journal');
  const aside: string[] = [];
  for (const file of plan.files) {
    const kept = `${file}.damaged-${clock.now()}`;
    await link(file, kept);
    aside.push(kept);
  }
  await writeGood(folder, plan, clock);
  const snapshot = openSnapshot(path.join(stateDir, 'snapshot.json'));
  await snapshot.load();
  await snapshot.save(savedState(plan.state));
  const journal = await openJournal(folder);
  const ledger = await openLedger({
    journal,
    clock,
    node: 'repair',
    snapshot,
    historyLimit: () => Number.POSITIVE_INFINITY,
    onListenerError: () => {},
  });
  for (const sessionId of plan.doubtful) {
    const run = ledger.session(sessionId)?.run ?? 0;
    await ledger.record({
      name: 'session.failed',
      data: { sessionId, run, cause: { kind: 'lost', reason: 'events of it were damaged on disk and taken out by a repair' } },
    });
  }
  await ledger.close();
  await journal.close();
  return aside;
}

/** Writes the segments of the plan anew, each number in the segment it belongs to. */
async function writeGood(folder: string, { files, check, state }: RepairPlan, clock: Clock): Promise<void> {
  const segments = (await segmentsIn(folder)).toReversed();
  const lines = new Map(files.map((file): [string, string[]] => [file, []]));
  const put = (event: StoredEvent) =>
    lines.get(segments.find(({ first }) => first <= event.seq)?.file ?? '')?.push(lineOf(event));
  const fill = (from: number, to: number) => {
    for (let seq = from; seq <= to; seq++)
      put({ seq, at: clock.now(), node: 'repair', name: 'journal.lost', data: { why: 'damaged on disk' } });
  };
  for await (const found of findingsOf(folder)) {
    if (found.kind === 'damage') fill(found.from, found.to);
    else put(found.event);
  }
  // the name of a last segment of which nothing is left still tells what was before it
  if (check.events > 0) fill(check.last + 1, Math.max(state.seq, (segments[0]?.first ?? 0) - 1));
  for (const [file, texts] of lines) await writeAtomic(file, texts.join(''));
}

async function filesToWrite(
  folder: string,
  { damages, events }: JournalCheck,
  behind: { readonly from: number; readonly to: number },
): Promise<string[]> {
  const segments = (await segmentsIn(folder).catch(() => [])).toReversed();
  const files = new Set(damages.flatMap(({ files }) => files));
  for (const { from, to } of [...damages, ...(events > 0 ? [behind] : [])]) {
    for (const { file, first } of segments) {
      const next = segments.findLast((segment) => segment.first > first)?.first ?? Number.POSITIVE_INFINITY;
      if (to >= from && first <= to && from < next) files.add(file);
    }
  }
  return [...files].sort();
}

/** What the event makes of the state, also when it cannot follow: then its session is as the event says. Undefined for a session that is not known. */
function lenientChange(state: LedgerState, event: StoredEvent): Change | undefined {
  try {
    return changeOf(state, event);
  } catch (error) {
    if (!(error instanceof ScopecraftError)) throw error;
  }
  const sessionId = 'sessionId' in event.data ? event.data.sessionId : undefined;
  const session = sessionId === undefined ? undefined : state.sessions.get(sessionId);
  if (!session) return undefined;
  for (const status of STATUSES) {
    try {
      return { event, sessionId, session: apply({ ...session, status }, event) };
    } catch (error) {
      if (!(error instanceof ScopecraftError)) throw error;
    }
  }
  return undefined;
}

function goneText(from: number, to: number): string {
  if (to < from) return 'no event is gone, only bytes between events';
  return to === from ? `event ${from} is gone` : `the events ${from} to ${to} are gone`;
}
