// What is wrong with a journal on disk, found without changing anything.
import { ScopecraftError } from '../../core/errors.ts';
import type { StoredEvent } from '../../core/events.ts';
import { eventOf, piecesOf, segmentsIn, seqOf } from './journal-records.ts';
import { orNothing } from './private-folder.ts';

/** A place where events are missing. */
export interface Damage {
  /** Where it begins. */
  readonly file: string;
  /** All files that hold damaged bytes. */
  readonly files: readonly string[];
  /** Line and byte in the file, where bytes are damaged; undefined where a whole piece of the journal is missing. */
  readonly line?: number;
  readonly byte?: number;
  /** Numbers of the events that are gone; `to` is below `from` where only bytes between events are damaged. */
  readonly from: number;
  readonly to: number;
  /** Sessions that the damaged bytes still name. */
  readonly sessions: readonly string[];
}

export interface JournalCheck {
  readonly events: number;
  /** Numbers of the oldest and newest good event; 0 when there is none. */
  readonly first: number;
  readonly last: number;
  readonly damages: readonly Damage[];
  /** Bytes of a write that was cut at the very end; a start of the hub cuts them off. */
  readonly tornBytes: number;
}

/** A good event with the file it is in, or a damage where it is. */
export type Found =
  | { readonly kind: 'event'; readonly file: string; readonly event: StoredEvent }
  | ({ readonly kind: 'damage' } & Damage);

/** Reads the whole journal. Fails with HUB_VERSION on events of a later version. */
export async function checkJournal(folder: string): Promise<JournalCheck> {
  const damages: Damage[] = [];
  let [events, first, last, tornBytes] = [0, 0, 0, 0];
  for await (const found of findingsOf(folder, (bytes) => (tornBytes = bytes))) {
    if (found.kind === 'damage') {
      damages.push(found);
      continue;
    }
    events++;
    first ||= found.event.seq;
    last = found.event.seq;
  }
  return { events, first, last, damages, tornBytes };
}

/** All good events in order, and between them what is damaged. Of events that come twice the first counts. `onTorn` is told of a torn end. */
export async function* findingsOf(folder: string, onTorn: (bytes: number) => void = () => {}): AsyncGenerator<Found> {
  let last: number | undefined;
  /** Number of the newest event that has not the form of its kind. */
  let unread = 0;
  let open:
    | {
        readonly file: string;
        readonly line: number;
        readonly byte: number;
        readonly bytes: Buffer[];
        readonly files: Set<string>;
      }
    | undefined;
  const segments = await segmentsIn(folder).catch(orNothing([]));
  for (const segment of segments) {
    last ??= segment.first - 1;
    for await (const pieces of piecesOf(segment.file)) {
      for (const piece of pieces) {
        const damaged = (bytes: Buffer) => {
          open ??= { file: segment.file, line: piece.line, byte: piece.at, bytes: [], files: new Set() };
          open.bytes.push(bytes);
          open.files.add(segment.file);
        };
        if (piece.kind === 'damage') damaged(piece.bytes);
        for (const json of piece.kind === 'record' ? [piece.json] : piece.records) {
          const seq = seqOf(json);
          if (seq <= last) continue;
          const event = formedEvent(json);
          if (!event) {
            damaged(json);
            unread = seq;
            continue;
          }
          if (open || seq > last + 1) yield damageOf(open ?? { file: segment.file }, last + 1, seq - 1);
          open = undefined;
          last = seq;
          yield { kind: 'event', file: segment.file, event };
        }
      }
    }
  }
  if (!open) return;
  const { file, bytes } = open;
  if (unread > (last ?? 0)) yield damageOf(open, (last ?? 0) + 1, unread);
  else if (file === segments.at(-1)?.file) onTorn(bytes.reduce((sum, { length }) => sum + length, 0));
  else yield damageOf(open, (last ?? 0) + 1, last ?? 0);
}

/** Undefined for one of a known name that has another form. */
function formedEvent(json: Buffer): StoredEvent | undefined {
  try {
    return eventOf(json);
  } catch (error) {
    if (error instanceof ScopecraftError && error.code === 'STORAGE_CORRUPT') return undefined;
    throw error;
  }
}

interface Open {
  readonly file: string;
  readonly line?: number;
  readonly byte?: number;
  readonly bytes?: readonly Buffer[];
  readonly files?: ReadonlySet<string>;
}

function damageOf({ bytes = [], files = new Set(), ...place }: Open, from: number, to: number): Found {
  return { kind: 'damage', ...place, files: [...files], from, to, sessions: idsIn(bytes) };
}

/** The sessions an event, or the bytes of one, speak of. */
function idsIn(bytes: readonly Buffer[]): string[] {
  const text = bytes.map((one) => one.toString('utf8')).join('\n');
  return [...new Set(Array.from(text.matchAll(/"sessionId":"([A-Za-z0-9._-]{1,128})"/g), ([, id]) => id ?? ''))];
}
