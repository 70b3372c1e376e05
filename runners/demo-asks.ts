// How the built-in agent asks for permissions, as Claude Code does it: a control request on its output, and the answer on its input.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Speech } from './demo-speech.ts';

const Verdict = z.union([
  z.looseObject({ behavior: z.literal('allow'), updatedInput: z.unknown() }),
  z.looseObject({ behavior: z.literal('deny'), message: z.string() }),
]);
type Verdict = z.infer<typeof Verdict>;

export interface DemoAsks {
  /** Asks whether the tool may be used, and waits for the answer. */
  ask(use: { readonly name: string; readonly input: unknown; readonly id: string }): Promise<Verdict>;
  /** Takes an answer; one that nobody waits for is passed over. */
  answer(requestId: string, response: unknown): void;
  /** Asks nothing any more. */
  withdraw(): void;
  /** No answer comes any more. */
  end(): void;
}

export function createDemoAsks(speech: Pick<Speech, 'ask' | 'withdraw'>): DemoAsks {
  const open = new Map<string, (verdict: Verdict) => void>();
  let hasEnded = false;
  const isClosed = { behavior: 'deny', message: 'Tool permission request failed: the input has ended.' } as const;
  return {
    ask(use) {
      if (hasEnded) return Promise.resolve(isClosed);
      const requestId = randomUUID();
      const answered = new Promise<Verdict>((resolve) => open.set(requestId, resolve));
      speech.ask(requestId, use);
      return answered;
    },
    answer(requestId, response) {
      const verdict = Verdict.safeParse(response).data ?? { behavior: 'deny', message: 'The answer is none.' };
      open.get(requestId)?.(verdict);
      open.delete(requestId);
    },
    withdraw() {
      for (const requestId of open.keys()) speech.withdraw(requestId);
      open.clear();
    },
    end() {
      hasEnded = true;
      for (const resolve of open.values()) resolve(isClosed);
      open.clear();
    },
  };
}
