// What could be meant by the beginning of an id: what begins with it first, then what holds it anywhere.
import type { Orchestrator } from './orchestrator.ts';

export type Completes = 'task' | 'session' | 'rule';

export interface Completion {
  readonly values: readonly string[];
  /** How many there are in all. */
  readonly total: number;
}

/** The protocol allows no more. */
const MOST = 100;

/** Ids of that kind that a beginning could become. Sessions come newest first, all else by id. */
export async function completionsOf(orchestrator: Orchestrator, kind: Completes, typed: string): Promise<Completion> {
  const wanted = typed.toLowerCase();
  const begin: string[] = [];
  const hold: string[] = [];
  for (const id of await idsOf(orchestrator, kind)) {
    const at = id.toLowerCase().indexOf(wanted);
    if (at === 0) begin.push(id);
    else if (at > 0) hold.push(id);
  }
  return { values: [...begin, ...hold].slice(0, MOST), total: begin.length + hold.length };
}

/** Places in the log of a session that a beginning could become: before its first entry, and its newest. */
export async function placesOf(orchestrator: Orchestrator, sessionId: string, typed: string): Promise<Completion> {
  const { cursor } = await orchestrator.log(sessionId, { tail: 1, limit: 1, characters: 1 });
  const values = ['0:0.0', ...(cursor === undefined ? [] : [cursor])].filter((place) => place.startsWith(typed));
  return { values, total: values.length };
}

async function idsOf(orchestrator: Orchestrator, kind: Completes): Promise<readonly string[]> {
  switch (kind) {
    case 'task':
      return orchestrator.taskIds();
    case 'session':
      return orchestrator.list({}).map(({ id }) => id);
    case 'rule':
      await orchestrator.rules.refresh();
      return orchestrator.rules
        .list()
        .filter((rule) => rule.enabled && rule.kind === 'prompt')
        .map(({ id }) => id);
  }
}
