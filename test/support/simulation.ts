// A model of the whole line on a fake clock: sessions that start sessions and wait for them, cancels, pauses, crashes of the hub, and a
// scheduler that can be exchanged for a broken one. It checks its rules at every step and throws at the first that does not hold.
import { Config } from '../../core/config.ts';
import type { Priority } from '../../core/priority.ts';
import { activeCount, compareWaiting, type Line, nextJob, orderKeyOf, type WaitingJob } from '../../core/scheduler.ts';

/** What a session does when it runs: sessions it starts and waits for, and whether it gives up waiting early. */
export interface Plan {
  readonly priority: Exclude<Priority, 'urgent'>;
  readonly children: readonly Plan[];
  readonly givesUpWaiting: boolean;
  readonly isInteractive: boolean;
}

/** How many runs there may be, and how many of them interactive. */
export interface Caps {
  readonly cap: number;
  readonly interactiveCap: number;
}

export type Step =
  | { readonly kind: 'start'; readonly plan: Plan }
  | { readonly kind: 'work' | 'cancel'; readonly pick: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'pause' | 'go on' | 'crash' };

/** The deeds of the scheduler that a broken variant may change. */
export interface Rules {
  readonly next: (line: Line) => WaitingJob | undefined;
  readonly compare: (a: WaitingJob, b: WaitingJob) => number;
  /** After a crash: a run whose start was recorded but which never began is fenced before it is started again. */
  readonly fences: boolean;
  /** After a crash: runs that live are taken up again. */
  readonly adopts: boolean;
  /** A cancelled job is taken out of the line. */
  readonly removes: boolean;
}

export const RULES: Rules = { next: nextJob, compare: compareWaiting, fences: true, adopts: true, removes: true };

type State = 'queued' | 'starting' | 'running' | 'waiting' | 'settled';

interface Modelled {
  readonly id: string;
  readonly plan: Plan;
  readonly ancestors: readonly string[];
  readonly job: WaitingJob;
  readonly queuedAt: number;
  state: State;
  /** Processes that were ever started for it. */
  begun: number;
  gaveUp: boolean;
  settled: number;
  todo: Plan[];
  readonly children: string[];
}

const CONFIG = Config.parse({});

/** Plays the steps, then lets everything run to its end. Throws with a sentence when a rule of the house is broken. */
export function simulate(steps: readonly Step[], { cap, interactiveCap }: Caps, rules: Rules): void {
  const all = new Map<string, Modelled>();
  let waiting: WaitingJob[] = [];
  let active: string[] = [];
  /** Processes of runs that were started and nobody follows. */
  const orphans = new Set<string>();
  let now = 1_000_000;
  let isPaused = false;
  let seq = 0;

  const broken = (rule: string): never => {
    throw new Error(rule);
  };
  const get = (id: string) => all.get(id) ?? broken(`session ${id} is gone`);
  const isBlocked = (one: Modelled) => one.children.some((id) => get(id).state !== 'settled');
  const line = (): Line => ({
    cap,
    interactiveCap,
    now,
    isPaused,
    waiting,
    active: active.map((sessionId) => {
      const one = get(sessionId);
      const isLent = one.state === 'waiting';
      return { sessionId, taskId: sessionId, ancestors: one.ancestors, isInteractive: one.plan.isInteractive, isLent };
    }),
  });

  const start = (plan: Plan, parent?: Modelled) => {
    const id = `s${++seq}`;
    const ancestors = parent ? [parent.id, ...parent.ancestors] : [];
    const job = {
      sessionId: id,
      priority: plan.priority,
      key: orderKeyOf(CONFIG, plan.priority, now),
      seq,
      taskId: id,
      concurrent: false,
      isInteractive: plan.isInteractive,
      ancestors,
    };
    all.set(id, {
      id,
      plan,
      ancestors,
      job,
      queuedAt: now,
      state: 'queued',
      begun: 0,
      gaveUp: false,
      settled: 0,
      todo: [...plan.children],
      children: [],
    });
    parent?.children.push(id);
    put(job);
    admit();
  };
  const put = (job: WaitingJob) => {
    waiting = [...waiting, job].sort(rules.compare);
  };
  const admit = () => {
    for (let next = rules.next(line()); next; next = rules.next(line())) {
      const job: WaitingJob = next;
      if (isPaused) broken('a session was admitted while the line was paused');
      if (activeCount(line()) >= cap) broken(`a session was admitted with ${activeCount(line())} active of ${cap}`);
      if (isCrowded(job)) broken(`${job.sessionId} was admitted with ${interactiveCap} interactive ones already`);
      const wronged = waiting.find((other) => isWronged(other, job));
      if (wronged) broken(`${job.sessionId} (${job.priority}) overtook ${wronged.sessionId} (${wronged.priority})`);
      waiting = waiting.filter((other) => other !== job);
      active.push(job.sessionId);
      get(job.sessionId).state = 'starting';
      if (get(job.sessionId).settled > 0) broken(`${job.sessionId} was admitted after it had settled`);
    }
  };
  /** True for an interactive one while as many are active as may be, not counting those that wait for it. */
  const isCrowded = ({ isInteractive, ancestors }: WaitingJob) => {
    const people = active
      .map(get)
      .filter(({ id, plan, state }) => plan.isInteractive && !(state === 'waiting' && ancestors.includes(id)));
    return isInteractive === true && people.length >= interactiveCap;
  };
  /** The promise of the order, from times and weights alone: a waiting session is overtaken only by one that is worth more and came soon enough. */
  const isWronged = (other: WaitingJob, job: WaitingJob) => {
    if (other === job || other.ancestors.join() !== job.ancestors.join() || isCrowded(other)) return false;
    const ahead = CONFIG.queue.priorityWeights[job.priority] - CONFIG.queue.priorityWeights[other.priority];
    const later = get(job.sessionId).queuedAt - get(other.sessionId).queuedAt;
    return ahead === 0 ? job.seq > other.seq : later > ahead * CONFIG.queue.agingMs;
  };
  const begin = (one: Modelled) => {
    one.begun++;
    if (one.begun > 1) broken(`${one.id} was started twice`);
    one.state = 'running';
  };
  const settle = (one: Modelled) => {
    one.state = 'settled';
    one.settled++;
    if (one.settled > 1) broken(`${one.id} settled twice`);
    active = active.filter((id) => id !== one.id);
    orphans.delete(one.id);
    for (const id of one.ancestors.slice(0, 1)) if (get(id).state === 'waiting' && !isBlocked(get(id))) get(id).state = 'running';
    admit();
  };
  /** One turn of an active session: it begins, starts its next child, waits for its children, or ends. */
  const work = (one: Modelled) => {
    if (one.state === 'starting') return begin(one);
    if (one.state === 'waiting') {
      // its wait ends early, once: it goes on in debt, and waits again at its next turn
      if (one.plan.givesUpWaiting && !one.gaveUp) [one.state, one.gaveUp] = ['running', true];
      return;
    }
    const child = one.todo.shift();
    if (child) return start(child, one);
    if (!isBlocked(one)) return settle(one);
    one.state = 'waiting';
    admit();
  };
  const cancel = (one: Modelled): void => {
    if (one.state === 'settled') return;
    for (const id of one.children) cancel(get(id));
    if (one.state === 'queued' && rules.removes) waiting = waiting.filter((job) => job.sessionId !== one.id);
    settle(one);
  };
  /** The hub dies and comes back: what was recorded is known, what lives goes on, what never began is fenced and begun again. */
  const crash = () => {
    const living = active;
    active = [];
    waiting = [];
    for (const id of living) {
      const one = get(id);
      if (one.state !== 'starting') {
        if (rules.adopts) active.push(id);
        else orphans.add(id);
        continue;
      }
      // between intent and start: without a fence the late supervisor starts it besides
      if (!rules.fences) one.begun++;
      active.push(id);
    }
    for (const one of all.values()) if (one.state === 'queued') put(one.job);
    admit();
  };

  const picked = (among: readonly string[], pick: number) => {
    const id = among[pick % Math.max(1, among.length)];
    return id === undefined ? undefined : get(id);
  };
  for (const step of steps) {
    now += 1;
    if (step.kind === 'start') start(step.plan);
    if (step.kind === 'pass') now += step.ms;
    if (step.kind === 'pause') isPaused = true;
    if (step.kind === 'go on') isPaused = false;
    if (step.kind === 'crash') crash();
    const subject =
      step.kind === 'work' ? picked(active, step.pick) : step.kind === 'cancel' ? picked([...all.keys()], step.pick) : undefined;
    if (subject && step.kind === 'work') work(subject);
    if (subject && step.kind === 'cancel') cancel(subject);
    if (step.kind !== 'work') admit();
    if (active.length > cap * (CONFIG.delegation.maxDepth + 1)) broken(`${active.length} runs live with ${cap} slots`);
  }

  // everything runs to its end
  isPaused = false;
  admit();
  for (let turns = 0; active.length > 0 || waiting.length > 0; turns++) {
    if (active.length === 0) broken(`${waiting.length} sessions wait and nothing runs`);
    const before = JSON.stringify([...all.values()].map(({ state, todo }) => [state, todo.length]));
    for (const id of [...active]) if (get(id).state !== 'settled') work(get(id));
    admit();
    if (
      turns > 10_000 ||
      (before === JSON.stringify([...all.values()].map(({ state, todo }) => [state, todo.length])) &&
        waiting.length + active.length > 0)
    ) {
      broken(`deadlock: ${active.length} active, ${waiting.length} waiting, cap ${cap}`);
    }
  }
  for (const one of all.values()) if (one.settled !== 1) broken(`${one.id} settled ${one.settled} times`);
  if (orphans.size > 0) broken(`${orphans.size} runs were left to themselves`);
}
