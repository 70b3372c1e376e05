// How an interactive agent stands, by its own record; and by its screen where the record says nothing.
//
//   starting ─► prompt ◄─► works ─► permission ─► works
//                 └──────────┴──────────┴─► unknown   (only by the screen: it does not work, and nobody said why)
import type { AgentResult } from '../core/ending.ts';
import type { Fact, Said } from './agent-record.ts';
import { agentResult, TEXT_LENGTH } from './agent-result.ts';
import type { Box } from './input-box.ts';

export type AgentState = 'starting' | 'works' | 'prompt' | 'permission' | 'unknown';

export interface InteractiveState {
  readonly state: AgentState;
  /** What is asked, what the screen shows, or what it said last where it rests after that. */
  readonly text: string | undefined;
  /** A prompt was broken off, which no hook tells. */
  readonly mayRest: boolean;
  /** True when it left by itself, as at the wish of a person. */
  readonly hasLeft: boolean;
  /** `isAsking`: something is asked that this fact does not answer. */
  take(fact: Fact, from: 'hooks' | 'out', isAsking?: boolean): void;
  /** What the screen says: whether it works, and its input box; `shown` are the last lines. */
  saw(works: boolean | undefined, box: Box, shown: string): void;
  result(): AgentResult | undefined;
}

const ENOUGH_LOOKS = 2;

export function createInteractiveState(): InteractiveState {
  let state: AgentState = 'starting';
  let text: string | undefined;
  let mayRest = false;
  let hasLeft = false;
  let looks = 0;
  let workingLooks = 0;
  let last: Said | undefined;
  let stopped: string | undefined;
  let reported: AgentResult | undefined;
  const spoken = new Map<string, Said['usage']>();
  /** A hook told that it rests, with these words, or it was broken off, and no hook told of anything that it does since. */
  let rested: { readonly text: string | undefined } | undefined;
  /** Keys of prompts after which it rests. */
  const done = new Set<string>();

  function become(next: AgentState, what?: string): void {
    if (state !== next) looks = workingLooks = 0;
    state = next;
    text = what;
    mayRest = false;
  }

  function takeSaid(said: Said): void {
    if (said.messageId !== undefined) spoken.set(said.messageId, said.usage);
    if (said.text !== undefined) last = said;
    // a turn that fails ends without a hook
    if (said.isError) mayRest = true;
  }

  return {
    get state() {
      return state;
    },
    get text() {
      return text;
    },
    get mayRest() {
      return mayRest;
    },
    get hasLeft() {
      return hasLeft;
    },

    take(fact, from, isAsking = false) {
      switch (fact.kind) {
        case 'begins':
          if (state === 'starting' || fact.source === 'clear') become('prompt');
          return;
        case 'prompt':
          // told late, or put aside at the end of the turn that it names
          if (fact.key !== undefined && done.has(fact.key)) return;
          if (from === 'hooks') rested = undefined;
          // lines of a transcript come late, but nothing else tells that it goes on with what it had put aside
          if (from === 'hooks' || state === 'starting' || fact.wasQueued) become('works');
          return;
        case 'rests':
          rested = { text: fact.text?.slice(0, TEXT_LENGTH) ?? (state === 'prompt' ? text : undefined) };
          if (fact.key !== undefined) done.add(fact.key);
          if (fact.text !== undefined) stopped = fact.text;
          if (fact.result) reported = fact.result;
          // who has heard that it rests may hear it again, without a word
          return become('prompt', rested.text);
        case 'asks':
          rested = undefined;
          return become('permission', state === 'permission' ? (text ?? fact.text) : fact.text);
        case 'works':
          if (fact.said) takeSaid(fact.said);
          // another tool may have answered, which ran beside it
          else if (state === 'permission' && !isAsking) become('works');
          return;
        case 'interrupted':
          // whatever its screen shows until then, it rests where its box is open
          if (state !== 'prompt') rested ??= { text: undefined };
          if (state === 'unknown' && text === undefined) return become('prompt');
          mayRest = state === 'works' || state === 'permission';
          return;
        case 'leaves':
          hasLeft = fact.reason !== 'clear' && fact.reason !== 'other';
          return;
        case 'enqueued':
          return;
      }
    },

    saw(works, box, shown) {
      workingLooks = works === true ? workingLooks + 1 : 0;
      if (works === true) {
        // the title is still the one of before, in the moment in which it asks
        if (state === 'permission' && workingLooks < ENOUGH_LOOKS) return;
        if (state !== 'works' && state !== 'starting') become('works');
        looks = 0;
        return;
      }
      looks++;
      if (state === 'starting') {
        if (box.kind === 'none' && shown !== '' && looks >= ENOUGH_LOOKS) text = shown;
        return;
      }
      if (works === undefined || state === 'prompt' || state === 'unknown') return;
      const isOpen = box.kind !== 'none';
      if (state === 'permission' && !isOpen) return;
      if (mayRest && isOpen) return become('prompt');
      if (looks < ENOUGH_LOOKS) return;
      // only its transcript, which may be late, told that it goes on
      if (rested && isOpen) become('prompt', rested.text);
      else become('unknown', isOpen ? undefined : shown);
    },

    result() {
      if (reported) return reported;
      if (!last && stopped === undefined) return undefined;
      const usage = [...spoken.values()].flatMap((one) => (one ? [one] : []));
      const sum = (of: (one: (typeof usage)[number]) => number) => usage.reduce((total, one) => total + of(one), 0);
      return agentResult({
        type: 'result',
        is_error: last?.isError ?? false,
        result: last?.text ?? stopped,
        api_error_status: last?.status,
        permission_denials: [],
        ...(spoken.size > 0 && { num_turns: spoken.size }),
        ...(usage.length > 0 && {
          usage: {
            input_tokens: sum((one) => one.input_tokens),
            cache_creation_input_tokens: sum((one) => one.cache_creation_input_tokens),
            cache_read_input_tokens: sum((one) => one.cache_read_input_tokens),
            output_tokens: sum((one) => one.output_tokens),
          },
        }),
      });
    },
  };
}
