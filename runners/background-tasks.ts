// What an agent has at work in the background: its own agents, and commands it does not wait for. It says its result meanwhile, and when
// such a task ends it goes on by itself: it is told of that, takes another turn and says another result.
//
// Newer Claude Code names after each change all that works in the background. Older versions tell only when a task begins and ends, also of
// one that is waited for; but what is still there when a turn ends works in the background. Which ends are not told of yet is counted: the
// agent tells where it hears of one within a turn, and else it begins a turn for it.

/** What a record tells of tasks. */
export type TaskNote =
  | { readonly kind: 'begun'; readonly id: string }
  | { readonly kind: 'ended'; readonly id: string }
  /** These, and no others, are at work in the background. */
  | { readonly kind: 'all'; readonly ids: readonly string[] }
  /** The agent was told that one has ended. */
  | { readonly kind: 'told' };

export interface BackgroundTasks {
  take(note: TaskNote): void;
  /** The agent said the result of a turn. */
  turnEnded(): void;
  /** For how many milliseconds without a word of it an agent that said its result may still go on by itself. */
  readonly patienceMs: number;
}

/** Claude Code itself waits as long for them once its input has ended. */
const AT_WORK_MS = 10 * 60_000;
/** Within so long it begins the turn for one that has ended, also on a busy machine. */
const ENDED_MS = 5000;

/** Nothing is at work yet. */
export function watchBackgroundTasks(): BackgroundTasks {
  /** Whether each task that is not waited for, as far as that is known. */
  const tasks = new Map<string, 'perhaps' | 'surely'>();
  let untold = 0;

  return {
    take(note) {
      switch (note.kind) {
        case 'begun':
          tasks.set(note.id, tasks.get(note.id) ?? 'perhaps');
          return;
        case 'ended':
          if (tasks.get(note.id) === 'surely') untold += 1;
          tasks.delete(note.id);
          return;
        case 'all':
          tasks.clear();
          for (const id of note.ids) tasks.set(id, 'surely');
          return;
        case 'told':
          untold = Math.max(0, untold - 1);
      }
    },
    turnEnded() {
      for (const id of tasks.keys()) tasks.set(id, 'surely');
    },
    get patienceMs() {
      return tasks.size > 0 ? AT_WORK_MS : untold > 0 ? ENDED_MS : 0;
    },
  };
}
