// One session over a random history: spoken to, asked for answers, ended, cancelled, tried again, its hub killed. What was said is kept beside the
// engine, so that at the end everything can be held against the rules: each prompt ends once, in order, and is told at most once to a run.
import { fail } from '../../core/errors.ts';
import type { EventName } from '../../core/events.ts';
import type { SessionPrompt } from '../../core/talk.ts';
import { caller, type Engine, makeEngine } from './engine.ts';
import { fakeClock } from './fake-clock.ts';

export type TalkStep =
  | { readonly kind: 'prompt'; readonly key: number; readonly isInterrupt: boolean }
  | {
      readonly kind: 'receive' | 'lose' | 'start' | 'end' | 'fail' | 'stumble' | 'cancel' | 'ask' | 'answer' | 'pass' | 'breathe';
    }
  /** The hub is killed; the next one finds the run, or nothing. */
  | { readonly kind: 'crash'; readonly finds: boolean }
  /** From now on no prompt can be written, or every one can. */
  | { readonly kind: 'disk'; readonly isFull: boolean };

interface Receipt {
  readonly got: Promise<SessionPrompt | undefined>;
}

/** Plays the steps on one session, lets it come to its end, and throws with a sentence at the first rule that does not hold. */
export async function talkAtRandom(steps: readonly TalkStep[]): Promise<void> {
  const clock = fakeClock();
  const said: Engine['said'] = new Map();
  const receipts: Receipt[] = [];
  let isFull = false;
  const refuse = ({ name }: { readonly name: EventName }) => {
    if (isFull && (name === 'session.prompted' || name === 'session.reopened')) fail('STORAGE_FULL', 'Full.');
  };
  const log = [{ seq: '1:0', kind: 'text', text: 'hello' }] as const;
  const open = (events: Engine['events'], finds: boolean) =>
    makeEngine({
      clock,
      said,
      events,
      refuse,
      log,
      found: () => finds,
      config: { resources: { idleTimeoutMs: 0, startTimeoutMs: 0 } },
    });
  let engine = await open([], true);
  const { session } = await engine.orchestrator.start({ type: 'autonomous', queue: true, prompt: 'first' }, caller);
  const sessionId = session.id;
  await engine.settle();

  const get = () => engine.orchestrator.get(sessionId);
  const isLive = () => ['starting', 'running', 'waiting', 'stopping'].includes(get().status) && engine.runs.has(sessionId);
  const told = () => said.get(`${sessionId}/${get().run}`) ?? [];
  /** The first message of this run that its record does not show yet. */
  const unheard = () =>
    told().find(({ promptId }) => get().prompts?.some((prompt) => prompt.promptId === promptId && prompt.state === 'pending'));
  const play = async (step: TalkStep): Promise<void> => {
    const run = engine.runs.get(sessionId);
    switch (step.kind) {
      case 'prompt': {
        const text = `p${step.key}`;
        const mode = step.isInterrupt ? 'interrupt' : 'queue';
        const request = { sessionId, prompt: text, mode, requestKey: `${text} ${mode}`, timeoutMs: 5000 } as const;
        receipts.push({ got: engine.orchestrator.prompt(request, 'me').catch(() => undefined) });
        return;
      }
      case 'receive': {
        const next = unheard();
        if (next && isLive()) run?.say({ kind: 'received', promptId: next.promptId });
        return;
      }
      case 'lose': {
        const next = unheard();
        if (next && isLive()) run?.say({ kind: 'undelivered', promptId: next.promptId, reason: 'lost' });
        return;
      }
      case 'start':
        if (isLive()) run?.say({ kind: 'started', process: { pid: 1, startedAt: '1' } });
        return;
      case 'end':
        if (isLive()) run?.end(0);
        return;
      case 'fail':
        if (isLive()) run?.end(1, { result: undefined });
        return;
      case 'stumble':
        if (isLive()) run?.end(1, { result: { text: 'limit', isError: true, errorKind: 'rate_limited' } });
        return;
      case 'cancel':
        engine.orchestrator.cancel(sessionId, { by: 'me' }).catch(() => undefined);
        return;
      case 'ask':
        if (isLive()) engine.orchestrator.ask(sessionId, { kind: 'question', text: 'Which?' }).catch(() => undefined);
        return;
      case 'answer': {
        const [request] = engine.orchestrator.openRequests();
        const { requestId = '' } = request ?? {};
        engine.orchestrator.answer({ requestId, decision: 'answer', text: 'a' }, 'me').catch(() => undefined);
        return;
      }
      case 'pass':
        clock.advance(60_000);
        return;
      case 'breathe':
        return engine.settle();
      case 'disk':
        isFull = step.isFull;
        return;
      case 'crash': {
        engine.kill();
        const { events } = engine;
        engine = await open(structuredClone(events), step.finds);
      }
    }
  };

  for (const step of steps) await play(step);
  isFull = false;
  // everything that was told is heard, and every run ends well
  for (let turn = 0; turn < 100; turn++) {
    await engine.settle();
    if (['completed', 'failed', 'cancelled', 'lost'].includes(get().status)) break;
    for (let owing = told().length; owing > 0 && unheard(); owing--) {
      await play({ kind: 'receive' });
      await engine.settle();
    }
    await play({ kind: 'end' });
    clock.advance(600_000);
  }
  // all receipts come in time
  clock.advance(5000);
  await engine.settle();
  // a record that a receipt was read from may be lost with its run: only where nothing of it is left does the next hub not read it again
  const isRecordKept = !steps.some((step) => step.kind === 'crash' && !step.finds);
  await check(engine, sessionId, isRecordKept ? receipts : []);
}

async function check(engine: Engine, sessionId: string, receipts: readonly Receipt[]): Promise<void> {
  const broken = (rule: string): never => {
    throw new Error(rule);
  };
  const { status, prompts = [] } = engine.orchestrator.get(sessionId);
  if (!['completed', 'failed', 'cancelled', 'lost'].includes(status)) broken(`the session is ${status} and does not end`);
  if (engine.errors.length > 0) broken(`the hub has faults: ${engine.errors.map(String).join('; ')}`);
  const order = engine.events.flatMap((event) =>
    event.name === 'session.prompted' || event.name === 'session.reopened' ? [event.data.promptId] : [],
  );
  if (prompts.map(({ promptId }) => promptId).join() !== order.join()) broken('what was said is not what was kept');
  if (new Set(prompts.map(({ text, mode }) => `${text} ${mode}`)).size !== prompts.length) broken('one request said it twice');
  for (const { promptId, state, doneAt } of prompts) {
    if (state === 'pending' || doneAt === undefined) broken(`prompt ${promptId} is ${state} at the end`);
    const told = engine.events.filter(
      (event) => (event.name === 'session.received' || event.name === 'session.undelivered') && event.data.promptId === promptId,
    );
    if (told.length > 1) broken(`it was told ${told.length} times what became of prompt ${promptId}`);
    if ((state === 'delivered') !== (told[0]?.name === 'session.received'))
      broken(`prompt ${promptId} is ${state}, against its record`);
    const runs = [...engine.said].filter(([, heard]) => heard.some((message) => message.promptId === promptId));
    if (state === 'delivered' && runs.length === 0) broken(`prompt ${promptId} was delivered and never told`);
  }
  for (const [run, heard] of engine.said) {
    const places = heard.map(({ promptId }) => order.indexOf(promptId)).filter((place) => place >= 0);
    if (places.some((place, at) => at > 0 && place <= (places[at - 1] ?? -1)))
      broken(`run ${run} was told out of order, or twice`);
  }
  for (const { got } of receipts) {
    const receipt = await Promise.race([got, Promise.resolve('none' as const)]);
    if (receipt === 'none') return broken('a receipt never came');
    const now = prompts.find(({ promptId }) => promptId === receipt?.promptId);
    if (receipt && (!now || (receipt.state !== 'pending' && receipt.state !== now.state)))
      broken(`a receipt said that its prompt is ${receipt.state}, and it is ${now?.state ?? 'not there'}`);
  }
}
