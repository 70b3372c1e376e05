// Opens what a workspace keeps: its journal, the room on its disk, and the ledger over both.
import { hostname } from 'node:os';
import path from 'node:path';
import { type Ledger, openLedger } from '../core/ledger.ts';
import type { Settings } from '../core/ports.ts';
import type { Secrets } from '../core/secrets.ts';
import { bytesOf } from '../core/size.ts';
import { openJournal } from '../storage/embedded/journal.ts';
import { type OpenRoom, openRoom } from '../storage/embedded/room.ts';
import { openSnapshot } from '../storage/embedded/snapshot.ts';
import { systemClock } from './clock.ts';
import { complainTo } from './complain.ts';

export interface KeptOptions {
  readonly stateDir: string;
  readonly settings: Settings;
  readonly secrets: Secrets;
  /** Number of the hub's claim. */
  readonly epoch: number;
  readonly log: (line: string) => void;
  /** Told when the disk became too full for new work, or has room again. */
  readonly onRoomChange: () => void;
}

export interface Kept {
  readonly ledger: Ledger;
  readonly room: OpenRoom;
  close(): Promise<void>;
}

/** Fails with STORAGE_CORRUPT or HUB_VERSION; nothing that is missing is taken for empty. */
export async function openKept({ stateDir, settings, secrets, epoch, log, onRoomChange }: KeptOptions): Promise<Kept> {
  const complain = complainTo(log);
  const journal = await openJournal(path.join(stateDir, 'journal'));
  const room = await openRoom({
    file: path.join(stateDir, 'ballast'),
    minFreeBytes: () => bytesOf(settings.current().storage.minFreeDisk),
    clock: systemClock,
    onChange(problem) {
      log(problem === undefined ? 'There is space on the disk again.' : `${problem} Nothing new is taken.`);
      onRoomChange();
    },
  });
  const ledger = await openLedger({
    journal,
    clock: systemClock,
    node: `${hostname()}/${epoch}`,
    onListenerError: complain('a listener failed'),
    snapshot: openSnapshot(path.join(stateDir, 'snapshot.json')),
    historyLimit: () => settings.current().events.maxEventHistory,
    onSnapshotError: complain('the state could not be saved'),
    room,
    mask: secrets.maskAll,
  });
  try {
    settings.override(ledger.overrides);
  } catch (error) {
    complain('changed settings do not fit any more and are left out')(error);
  }
  return {
    ledger,
    room,
    async close() {
      await ledger.close();
      await journal.close();
    },
  };
}
