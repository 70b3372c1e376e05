// What callers see of prompts, requests and their events: bounded, however long what was said is.
import { describe, expect, it } from 'vitest';
import { eventView } from '../../core/event-view.ts';
import { makeEngine } from '../support/engine.ts';
import { ended, get, prompt, running, started } from './talk-rig.ts';

const LONG = 'x'.repeat(5000);
const SCHEMA = JSON.stringify({ type: 'object', description: LONG });

describe('the view of an event', () => {
  it('cuts what people and agents said, and says that it did', async () => {
    const engine = await makeEngine();
    const id = await running(engine, { prompt: LONG, resultSchema: SCHEMA });
    await prompt(engine, id, LONG);
    const asks = [
      engine.orchestrator.ask(id, { kind: 'question', text: LONG.slice(0, 4000) }),
      engine.orchestrator.ask(id, { kind: 'permission', tool: 'Bash', input: { command: LONG } }),
    ];
    await engine.settle();
    await engine.orchestrator.answer({ requestId: `${id}.1`, decision: 'answer', text: LONG }, 'me');
    await engine.orchestrator.answer({ requestId: `${id}.2`, decision: 'allow' }, 'me');
    await Promise.all(asks);
    await ended(engine, id, 0, { result: { text: LONG, isError: false, data: { a: LONG } } });
    for (const event of engine.events) {
      const view = eventView(event);
      expect(JSON.stringify(view).length, view.name).toBeLessThan(1500);
      expect(view.data).not.toHaveProperty('digest');
    }
    const seen = Object.fromEntries(engine.events.map((event) => [event.name, eventView(event).data]));
    expect(seen['session.queued']).toMatchObject({ resultSchema: expect.stringContaining('whole in the log') });
    expect(seen['session.answered']).toMatchObject({ decision: 'allow' });
    expect(seen['session.requeued']).toMatchObject({
      result: { isError: false, text: expect.stringContaining('5000 characters') },
    });
  });
});

describe('the view of a session', () => {
  it('shows the newest of what was said and answered', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    for (let number = 1; number <= 7; number++) {
      await prompt(engine, id, `p${number} ${LONG}`);
      const ask = engine.orchestrator.ask(id, { kind: 'question', text: `q${number}` });
      await engine.settle();
      await engine.orchestrator.answer({ requestId: `${id}.${number}`, decision: 'deny' }, 'me');
      await ask;
    }
    const view = engine.orchestrator.view(get(engine, id));
    expect(view.prompts?.map(({ text }) => text.slice(0, 2))).toEqual(['p3', 'p4', 'p5', 'p6', 'p7']);
    expect(view.answered?.map(({ text }) => text)).toEqual(['q3', 'q4', 'q5', 'q6', 'q7']);
    expect(view.answered?.[0]).not.toHaveProperty('answer');
    expect(JSON.stringify(view).length).toBeLessThan(5000);
  });

  it('tells which tools its agent was not allowed to use', async () => {
    const engine = await makeEngine();
    const id = await running(engine);
    await ended(engine, id, 0, { result: { text: 'done without', isError: false, permissionDenials: ['Bash', 'Write'] } });
    expect(engine.orchestrator.view(get(engine, id))).toMatchObject({
      status: 'completed',
      permissionDenials: ['Bash', 'Write'],
    });
  });

  it('names the rule that its prompt came from, with the chances where it was drawn', async () => {
    const rule = { id: 'fix', version: 'a1', chances: { seed: 's', of: { fix: 0.7, mend: 0.3 } } };
    const engine = await makeEngine();
    const { view } = engine.orchestrator;
    const session = get(engine, await started(engine));
    expect(view({ ...session, rule }).rule).toEqual(rule);
    expect(view(session).rule).toBeUndefined();
  });

  it('says what comes next: to answer, to prompt, to wait, or nothing', async () => {
    const engine = await makeEngine({ config: { resources: { maxConcurrentSessions: 1 } } });
    const id = await running(engine);
    const waiting = await started(engine);
    const next = (session: string) => engine.orchestrator.view(get(engine, session)).next;
    expect([next(id), next(waiting)]).toEqual([
      `session_wait { "sessionIds": ["${id}"] }`,
      `session_wait { "sessionIds": ["${waiting}"] }`,
    ]);
    engine.orchestrator.ask(id, { kind: 'permission', tool: 'Bash', input: { command: 'ls' } }).catch(() => undefined);
    await engine.settle();
    expect(next(id)).toBe(`request_answer { "requestId": "${id}.1", "decision": "allow or deny" }`);
    await engine.orchestrator.cancel(id, { by: 'me' });
    expect(engine.orchestrator.view(get(engine, id))).toMatchObject({ summary: `Session ${id} is stopping: cancelled by me.` });
    expect(next(id)).toBe(`session_wait { "sessionIds": ["${id}"] }`);
    await ended(engine, id, 143);
    expect(next(id)).toBeUndefined();
  });
});
