// Sessions that are spoken to: how tests of prompts and requests bring one to where they want it.
import type { PromptRequest } from '../../core/prompting.ts';
import type { StartRequest } from '../../core/start.ts';
import type { SessionPrompt } from '../../core/talk.ts';
import { caller, type Engine, type EngineOptions, makeEngine } from '../support/engine.ts';

export const process = { pid: 4242, startedAt: '99' };
export const FIRST = 'the first prompt';
export const limited = { text: 'limit', isError: true, errorKind: 'rate_limited' as const };
/** The agent said something, so that there is a conversation to go on with. */
export const SPOKE = [{ seq: '1:0', kind: 'text', text: 'hello' }] as const;

/** Starts a session; answers its id. */
export async function started(engine: Engine, more: Partial<StartRequest> = {}, sessionId?: string): Promise<string> {
  const request = { type: 'autonomous', queue: true, prompt: FIRST, ...more } as const;
  const { session } = await engine.orchestrator.start(request, { ...caller, sessionId });
  await engine.settle();
  return session.id;
}

export async function running(engine: Engine, more: Partial<StartRequest> = {}, sessionId?: string): Promise<string> {
  const id = await started(engine, more, sessionId);
  engine.run(id).say({ kind: 'started', process });
  await engine.settle();
  return id;
}

export async function ended(engine: Engine, id: string, code = 0, more: Parameters<ReturnType<Engine['run']>['end']>[1] = {}) {
  engine.run(id).end(code, more);
  await engine.settle();
}

/** Says something and does not wait for the receipt, unless told to. */
export function prompt(
  engine: Engine,
  sessionId: string,
  text: string,
  more: Partial<PromptRequest> = {},
): Promise<SessionPrompt> {
  return engine.orchestrator.prompt({ sessionId, prompt: text, mode: 'queue', timeoutMs: 0, ...more }, 'me');
}

export const get = (engine: Engine, id: string) => engine.orchestrator.get(id);
/** The prompts of a session as `text: state`. */
export const states = (engine: Engine, id: string) =>
  (get(engine, id).prompts ?? []).map(({ text, state }) => `${text.slice(0, 20)}: ${state}`);
/** What the newest run was told from its beginning. */
export const begunWith = (engine: Engine, id: string) => engine.run(id).spec?.messages.map(({ text }) => text);
/** What it was told while it ran. */
export const heard = (engine: Engine, id: string) => engine.run(id).messages.map(({ text }) => text);

/** The hub is killed, and the next one reads what was on disk. */
export async function reborn(old: Engine, options: EngineOptions = {}): Promise<Engine> {
  old.kill();
  const events = structuredClone(old.events);
  const engine = await makeEngine({ clock: old.clock, said: old.said, events, ...options });
  await engine.settle();
  return engine;
}
