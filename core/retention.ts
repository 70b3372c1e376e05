// Cleaning up: which settled sessions are old enough or too many to be kept, and their removal with all that belongs to them.
//
// Never removed: what has not settled, what is pinned, and whoever is above something that has not settled. The newest session of a task stays however
// old it gets, as long as there are not too many; not so where the task was made for its prompt, for then each session would be the newest. A removal
// is the fact `session.removed`; folder and environment go after it, and what a crash left behind goes with the first sweep of the next hub. The request key of a
// removed session still answers until it was used as long ago as sessions are kept, so that a late retry does not start it again.
import type { Config } from './config.ts';
import type { Ledger } from './ledger.ts';
import type { Clock, Settings } from './ports.ts';
import { isSettled, type Session } from './session.ts';

/** So many request keys of removed sessions are remembered at most. */
const MOST_KEYS = 10_000;
/** So many removals share a write. */
const AT_ONCE = 1_000;

export interface RetentionParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly settings: Pick<Settings, 'current'>;
  /** Removes folders and environments of these sessions. Called when their removal is durable; may be called again for the same. */
  readonly removeFolders: (sessionIds: readonly string[]) => Promise<unknown>;
  /** Removes the worktrees of these sessions, as far as no work is lost with them; those that stay are tried again by the next hub. */
  readonly removeWorktrees?: ((sessionIds: readonly string[]) => Promise<void>) | undefined;
  /** Told of a sweep that could not be done; the next one tries again. */
  readonly onError: (error: unknown) => void;
}

export interface Retention {
  /** Cleans up now, whatever the settings say about doing so by itself. Answers the ids of what was removed. */
  sweep(): Promise<readonly string[]>;
  /** Cleans up no more. */
  close(): void;
}

export type Removal = { readonly sessionId: string; readonly reason: 'age' | 'count' };

/** Cleans up every `cleanup.cleanupIntervalMs` where `cleanup.autoCleanupCompletedSessions` is on. */
export function startRetention(parts: RetentionParts): Retention {
  const { ledger, clock, settings, onError } = parts;
  let underway: Promise<readonly string[]> | undefined;
  let disarm = () => {};
  let isClosed = false;
  let isFirst = true;

  const removeFolders = async (sessionIds: readonly string[]) => {
    // what git has against it keeps no log from being removed
    if (sessionIds.length > 0) await parts.removeWorktrees?.(sessionIds).catch(onError);
    await parts.removeFolders(sessionIds);
  };
  const sweepNow = async (): Promise<readonly string[]> => {
    const { cleanup } = settings.current();
    if (isFirst) await removeFolders(await goneIds(ledger));
    isFirst = false;
    const removed: string[] = [];
    const removals = overdue([...ledger.sessions()], cleanup, clock.now());
    for (let at = 0; at < removals.length && !isClosed; at += AT_ONCE) {
      // looked at again: one may have been reopened or pinned meanwhile
      const now = removals.slice(at, at + AT_ONCE).filter(({ sessionId }) => {
        const session = ledger.session(sessionId);
        return session !== undefined && isSettled(session) && !session.pinned;
      });
      await Promise.all(
        now.map(({ sessionId, reason }) => ledger.record({ name: 'session.removed', data: { sessionId, reason } })),
      );
      removed.push(...now.map(({ sessionId }) => sessionId));
    }
    forgetKeys(ledger, clock.now() - cleanup.retainSessionLogsForMs);
    await removeFolders(removed);
    return removed;
  };
  const sweep = () => {
    underway ??= sweepNow().finally(() => {
      underway = undefined;
    });
    return underway;
  };
  const arm = () => {
    disarm = clock.after(settings.current().cleanup.cleanupIntervalMs, async () => {
      if (settings.current().cleanup.autoCleanupCompletedSessions) await sweep().catch(onError);
      if (!isClosed) arm();
    });
  };

  arm();
  return {
    sweep,
    close() {
      isClosed = true;
      disarm();
    },
  };
}

/** What is to be removed, oldest first. */
export function overdue(sessions: readonly Session[], policy: Config['cleanup'], now: number): readonly Removal[] {
  const needed = neededIds(sessions);
  const newest = newestIds(sessions);
  const settled = sessions
    .filter(isSettled)
    .toSorted((a, b) => (a.settledAt ?? 0) - (b.settledAt ?? 0) || a.createdSeq - b.createdSeq);
  const tooMany = settled.length - policy.keepSessions;
  return settled.flatMap((session, at) => {
    const isLast = newest.has(session.id) && !session.madeTask;
    const isOld = now - (session.settledAt ?? now) > policy.retainSessionLogsForMs && !isLast;
    if (!(isOld || at < tooMany) || needed.has(session.id) || session.pinned) return [];
    return [{ sessionId: session.id, reason: isOld ? 'age' : 'count' }];
  });
}

/** Ids of the newest session of each task. */
function newestIds(sessions: readonly Session[]): ReadonlySet<string> {
  const newest = new Map<string, Session>();
  for (const session of sessions)
    if ((newest.get(session.taskId)?.createdSeq ?? 0) < session.createdSeq) newest.set(session.taskId, session);
  return new Set([...newest.values()].map(({ id }) => id));
}

/** Ids of all sessions above one that has not settled. */
function neededIds(sessions: readonly Session[]): ReadonlySet<string> {
  const byId = new Map(sessions.map((session) => [session.id, session]));
  const needed = new Set<string>();
  for (const session of sessions) {
    if (isSettled(session)) continue;
    const above = new Set<string>();
    for (let id = session.parentId; id !== undefined && !above.has(id); id = byId.get(id)?.parentId) above.add(id);
    for (const id of above) needed.add(id);
  }
  return needed;
}

/** Sessions whose removal is in the history. */
async function goneIds(ledger: Ledger): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const event of ledger.history(0))
    if (event.name === 'session.removed' && !ledger.session(event.data.sessionId)) ids.push(event.data.sessionId);
  return ids;
}

function forgetKeys(ledger: Ledger, before: number): void {
  const orphans = [...ledger.keys()]
    .filter(([, { sessionId }]) => !ledger.session(sessionId))
    .toSorted(([, a], [, b]) => a.at - b.at);
  const tooMany = orphans.length - MOST_KEYS;
  for (const [at, [key, used]] of orphans.entries()) if (used.at < before || at < tooMany) ledger.forgetKey(key);
}
