// Which living runs were told an address at which this hub does not listen, because another program has the port of the hub before.
import type { Ledger } from '../core/ledger.ts';
import { isActive, type Session } from '../core/session.ts';
import { readSpec, runFolder } from '../runners/run-folder.ts';

export interface UnreachableParts {
  readonly ledger: Pick<Ledger, 'sessions'>;
  readonly stateDir: string;
  /** False for the address of an earlier hub that this one could not have. */
  readonly isReachable: (url: string) => boolean;
}

/** Looks at the runs that live now. Answers whether a session's run is one that cannot call this hub. */
export function findUnreachable({ ledger, stateDir, isReachable }: UnreachableParts): (session: Session) => boolean {
  const active = [...ledger.sessions()].filter((session) => isActive(session) && session.run > 0);
  const urls = active.map(({ id, run }) => readSpec(runFolder(stateDir, id, run))?.mcp?.url);
  const isCutOff = (url: string | undefined) => url !== undefined && !isReachable(url);
  const without = new Set(active.filter((_, at) => isCutOff(urls[at])).map(keyOf));
  return (session) => without.has(keyOf(session));
}

function keyOf({ id, run }: Session): string {
  return `${id}/${run}`;
}
