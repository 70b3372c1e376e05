// A runner whose runs do what a test says, and keep what was said to them as the port asks: each message once.
import type { EndCause } from '../../core/ending.ts';
import { fail } from '../../core/errors.ts';
import type { Message, Run, RunEvent, Runner, RunSpec, Verdict } from '../../core/run-ports.ts';

/** One run as the test plays it. */
export interface PlayedRun {
  readonly spec: RunSpec | undefined;
  readonly stops: readonly EndCause[];
  /** What was said to it after its beginning. */
  readonly messages: readonly Message[];
  /** How it was answered. */
  readonly answers: ReadonlyArray<Verdict & { readonly callId: string }>;
  /** What its calls were answered with. */
  readonly replies: ReadonlyArray<{ readonly callId: string; readonly message: object | undefined }>;
  say(event: RunEvent): void;
  /** Following it fails with this. */
  breakOff(error: Error): void;
  /** The process ends with this code, with a result unless told otherwise. */
  end(code: number, more?: Partial<Extract<RunEvent, { kind: 'ended' }>>): void;
}

export interface PlayedRunnerOptions {
  /** Where the newest run of each session is put. */
  readonly runs: Map<string, PlayedRun>;
  /** Whether a run is found after a restart. */
  readonly found: (sessionId: string) => boolean;
  readonly start: ((spec: RunSpec) => void) | undefined;
  readonly tell: ((message: Message, sessionId: string) => Promise<void>) | undefined;
  readonly end: ((sessionId: string) => void) | undefined;
  /** What was said to each run, `<session>/<run>`, from its beginning; outlives the hub, as the folder of a run does. */
  readonly said: Map<string, Message[]>;
}

export function playedRunner({ runs, found, start, tell, end, said }: PlayedRunnerOptions): Runner {
  const play = (sessionId: string, run: number, spec: RunSpec | undefined): Run => {
    const told: (RunEvent | Error)[] = [];
    const stops: EndCause[] = [];
    const messages: Message[] = [];
    const answers: (Verdict & { readonly callId: string })[] = [];
    const replies: { readonly callId: string; readonly message: object | undefined }[] = [];
    const heard = said.get(`${sessionId}/${run}`) ?? [...(spec?.messages ?? [])];
    said.set(`${sessionId}/${run}`, heard);
    let wake = () => {};
    const say = (event: RunEvent | Error) => {
      told.push(event);
      wake();
    };
    const result = { text: 'done', isError: false, costUsd: 0.01, turns: 2 };
    runs.set(sessionId, {
      spec,
      stops,
      messages,
      answers,
      replies,
      say,
      breakOff: say,
      end: (code, more) => say({ kind: 'ended', exit: { code }, result, stderr: '', ...more }),
    });
    return {
      async stop(cause) {
        stops.push(cause);
      },
      async answer(callId, verdict) {
        answers.push({ callId, ...verdict });
      },
      async reply(callId, message) {
        replies.push({ callId, message });
      },
      async tell(message) {
        if (heard.some(({ promptId }) => promptId === message.promptId)) return;
        if (spec?.agent.kind === 'command' && spec.type === 'autonomous')
          fail('PROMPT_REFUSED', 'This agent cannot be spoken to while it runs.');
        await tell?.(message, sessionId);
        heard.push(message);
        messages.push(message);
      },
      events: (async function* () {
        for (;;) {
          const event = told.shift();
          if (event instanceof Error) throw event;
          if (event) yield event;
          if (event?.kind === 'ended') return;
          if (!event) await new Promise<void>((resolve) => (wake = resolve));
        }
      })(),
    };
  };
  return {
    locate: async (agent) => (agent.command === 'missing' ? undefined : `/bin/${agent.command ?? agent.kind}`),
    async start(spec) {
      start?.(spec);
      return play(spec.sessionId, spec.run, spec);
    },
    adopt: async (sessionId, run) => (found(sessionId) ? play(sessionId, run, undefined) : undefined),
    end: async (sessionId) => end?.(sessionId),
  };
}
