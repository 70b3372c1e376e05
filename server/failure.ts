// Why a hub could not start, left in the state folder where the door that waits for it can read and tell it.
import { readFileSync, statSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** How a hub ends, for its keeper: `done` ends the keeper too, `again` is restarted, `hopeless` leaves `hub.failed` and is not. */
export const HUB_EXIT = { done: 0, again: 75, hopeless: 78 } as const;

export interface HubFailure {
  readonly code: string;
  readonly message: string;
}

/** Leaves the reason in `hub.failed`. */
export async function leaveFailure(stateDir: string, failure: HubFailure): Promise<void> {
  const temp = path.join(stateDir, `.failed.${process.pid}`);
  await writeFile(temp, `${JSON.stringify({ code: failure.code, message: failure.message })}\n`, { mode: 0o600 });
  await rename(temp, path.join(stateDir, 'hub.failed'));
}

/** The reason left since then (milliseconds since the epoch), or undefined. */
export function readFailure(stateDir: string, since: number): HubFailure | undefined {
  const file = path.join(stateDir, 'hub.failed');
  try {
    // clocks of files tick coarsely
    const changed = statSync(file, { throwIfNoEntry: false });
    if (!changed || changed.mtimeMs < since - 20) return undefined;
    const found: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof found !== 'object' || found === null || !('code' in found) || !('message' in found)) return undefined;
    return { code: String(found.code), message: String(found.message) };
  } catch {
    // not there, or not yet whole
    return undefined;
  }
}
