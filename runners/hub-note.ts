// Who the hub is, written down for the supervisors of runs: they start its keeper when it is gone.
import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { processAt } from './process.ts';
import { bootId } from './run-folder.ts';

/** Writes down this process, or another one that lives, in one piece, as supervise.sh tells processes apart. */
export function noteHub(file: string, pid = process.pid): void {
  // removed by the next hub where this one is killed in between
  const unfinished = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}`);
  writeFileSync(unfinished, `${pid} ${bootId()} ${processAt(pid)?.startedAt}\n`, { mode: 0o600 });
  renameSync(unfinished, file);
}
