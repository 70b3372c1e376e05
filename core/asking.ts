// What a run asks while it works: it is asked in the name of its session, and the answer goes to the run. The run's other events do not wait for that.
import { ScopecraftError } from './errors.ts';
import type { Clock } from './ports.ts';
import type { Requests } from './requests.ts';
import type { Run, RunEvent } from './run-ports.ts';

export interface AskingParts {
  readonly requests: Pick<Requests, 'ask' | 'withdraw'>;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

export interface Asking {
  /** Asks, or gives up what the run does not ask any more. Resolves when that is written down, where it can be: what the run tells next may be about how it stands. */
  take(event: AskingEvent): Promise<void>;
  /** Nobody waits for answers from here on; what is open stays so for whoever follows the run next. */
  close(): void;
}

export type AskingEvent = Extract<RunEvent, { kind: 'asks' | 'withdrawn' }>;

type Asks = Extract<AskingEvent, { kind: 'asks' }>;
type Decided = Extract<AskingEvent, { kind: 'withdrawn' }>['decision'];

const AGAIN_MS = 5000;

/** What this run of the session asks, for as long as it is followed. */
export function openAsking({ requests, clock, onError }: AskingParts, sessionId: string, run: Pick<Run, 'answer'>): Asking {
  const open = new Map<string, { readonly gone: AbortController; readonly tried: Promise<void>; decision?: Decided }>();
  const closing = new AbortController();

  async function ask({ callId, tool, input }: Asks, signal: AbortSignal): Promise<void> {
    try {
      const { decision, text } = await requests.ask(sessionId, { kind: 'permission', tool, input, callId }, signal);
      const denied = { behavior: 'deny', message: text || 'The permission was denied.' } as const;
      await run.answer(callId, decision === 'allow' ? { behavior: 'allow' } : denied);
    } catch (error) {
      if (!(error instanceof ScopecraftError && error.code === 'CANCELLED')) throw error;
      if (signal.aborted && !closing.signal.aborted) await requests.withdraw(sessionId, callId, open.get(callId)?.decision);
    }
  }

  /** The agent waits for the answer, so a disk that is full or fails is tried again. */
  async function untilAsked(tried: Promise<void>, event: Asks, signal: AbortSignal): Promise<void> {
    for (let asked = tried; ; asked = ask(event, signal)) {
      try {
        return await asked;
      } catch (error) {
        onError(error);
        if (!(error instanceof ScopecraftError && ['STORAGE_FULL', 'STORAGE_FAILED'].includes(error.code))) return;
      }
      await pause(clock, closing.signal);
      if (closing.signal.aborted) return;
    }
  }

  async function withdraw({ callId, decision }: Extract<AskingEvent, { kind: 'withdrawn' }>): Promise<void> {
    const asked = open.get(callId);
    // an earlier hub may have asked it
    if (!asked) return requests.withdraw(sessionId, callId, decision).catch(onError);
    if (decision) asked.decision = decision;
    asked.gone.abort();
    await asked.tried.catch(() => undefined);
  }

  return {
    async take(event) {
      if (event.kind === 'withdrawn') return withdraw(event);
      const gone = new AbortController();
      const tried = ask(event, gone.signal);
      open.set(event.callId, { gone, tried });
      void untilAsked(tried, event, gone.signal).finally(() => open.delete(event.callId));
    },
    close() {
      closing.abort();
      for (const { gone } of open.values()) gone.abort();
    },
  };
}

function pause(clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      disarm();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const disarm = clock.after(AGAIN_MS, done);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done);
  });
}
