// Sharing a session with a guest: what the guest sees and may do, how long, and what of it is recorded; and that secrets are kept out of facts.
import { describe, expect, it } from 'vitest';
import { includes, SCOPES, scopeOf, toolsOfRole } from '../../core/access.ts';
import { type Guest, guestOf } from '../../core/guest.ts';
import type { Orchestrator } from '../../core/orchestrator.ts';
import { createSecrets, MASK } from '../../core/secrets.ts';
import { TOOLS } from '../../tools/index.ts';
import { caller, type Engine, makeEngine } from '../support/engine.ts';

const share = { role: 'watch', name: 'Anna', lifeMs: 60_000 } as const;

async function begun(): Promise<{ engine: Engine; own: string; other: string }> {
  const engine = await makeEngine();
  const start = async (taskId: string) =>
    (await engine.orchestrator.start({ taskId, type: 'autonomous', queue: true }, caller)).session.id;
  const [own, other] = [await start('fix-login'), await start('other')];
  await engine.settle();
  return { engine, own, other };
}

const guest = (engine: Engine, sessionId: string, role: Guest['role']): Orchestrator =>
  guestOf(engine.orchestrator, { sessionId, shareId: 'aaaa', role, name: 'Anna' });

describe('a share', () => {
  it('is open until it expires, and survives the hub', async () => {
    const { engine, own } = await begun();
    const shared = await engine.orchestrator.share({ sessionId: own, ...share }, 'a test');
    expect(shared).toMatchObject({ role: 'watch', name: 'Anna', token: `token-${shared.shareId}`, url: expect.any(String) });
    expect(engine.orchestrator.shares(own)).toMatchObject([{ shareId: shared.shareId }]);
    expect(JSON.stringify(engine.events)).not.toContain('token-');
    const next = await makeEngine({ events: engine.events, clock: engine.clock });
    expect(next.orchestrator.shares(own)).toMatchObject([{ shareId: shared.shareId }]);
    engine.clock.advance(60_000);
    expect(engine.orchestrator.shares(own)).toEqual([]);
    // what is over is forgotten with the next one
    await engine.orchestrator.share({ sessionId: own, ...share }, 'a test');
    expect(engine.ledger.session(own)?.shares).toHaveLength(1);
  });

  it('is ended once, and only where it is', async () => {
    const { engine, own, other } = await begun();
    const { orchestrator } = engine;
    const { shareId } = await orchestrator.share({ sessionId: own, ...share }, 'a test');
    await expect(orchestrator.unshare({ sessionId: other, shareId }, 'a test')).rejects.toMatchObject({ code: 'SHARE_REFUSED' });
    await orchestrator.unshare({ sessionId: own, shareId }, 'a test');
    expect(orchestrator.shares(own)).toEqual([]);
    await expect(orchestrator.unshare({ sessionId: own, shareId }, 'a test')).rejects.toMatchObject({ code: 'SHARE_REFUSED' });
    await expect(orchestrator.share({ sessionId: 'nobody', ...share }, 'a test')).rejects.toMatchObject({
      code: 'SESSION_NOT_FOUND',
    });
  });

  it('is refused where there are too many, or nobody could come', async () => {
    const { engine, own } = await begun();
    for (let at = 0; at < 50; at++) await engine.orchestrator.share({ sessionId: own, ...share }, 'a test');
    await expect(engine.orchestrator.share({ sessionId: own, ...share }, 'a test')).rejects.toMatchObject({
      code: 'SHARE_REFUSED',
    });
    const closed = await makeEngine({ isOpen: false });
    const { session } = await closed.orchestrator.start({ taskId: 'other', type: 'autonomous', queue: true }, caller);
    await expect(closed.orchestrator.share({ sessionId: session.id, ...share }, 'a test')).rejects.toMatchObject({
      code: 'SHARE_REFUSED',
    });
  });
});

describe('a guest', () => {
  it('sees the session that was shared, and no other', async () => {
    const { engine, own, other } = await begun();
    const seen = guest(engine, own, 'watch');
    expect(seen.get(own).id).toBe(own);
    expect(seen.list({}).map(({ id }) => id)).toEqual([own]);
    expect(await seen.log(own, { limit: 1, characters: 10 })).toMatchObject({ more: false });
    const waited = seen.wait({ sessionIds: [own], until: 'any', timeoutMs: 1 });
    await engine.settle();
    engine.clock.advance(1);
    expect(await waited).toMatchObject({ timedOut: true });
    expect(seen.openRequests()).toEqual([]);
    expect(() => seen.get(other)).toThrow('Only session');
    await expect(seen.log(other, { limit: 1, characters: 10 })).rejects.toMatchObject({ code: 'NOT_SHARED' });
    await expect(seen.wait({ sessionIds: [own, other], until: 'any', timeoutMs: 0 })).rejects.toMatchObject({
      code: 'NOT_SHARED',
    });
  });

  it('says something only where it may', async () => {
    const { engine, own, other } = await begun();
    const prompt = (sessionId: string) => ({ sessionId, prompt: 'Look.', mode: 'queue', timeoutMs: 0 }) as const;
    await expect(guest(engine, own, 'watch').prompt(prompt(own), 'guest')).rejects.toMatchObject({ code: 'NOT_SHARED' });
    await expect(guest(engine, own, 'prompt').prompt(prompt(other), 'guest')).rejects.toMatchObject({ code: 'NOT_SHARED' });
    expect(await guest(engine, own, 'prompt').prompt(prompt(own), 'guest Anna')).toMatchObject({ by: 'guest Anna' });
  });

  it('does nothing else, whatever it asks for', async () => {
    const { engine, own } = await begun();
    const seen = guest(engine, own, 'prompt');
    const why = { by: 'guest' };
    const deeds = [
      () => seen.start({ taskId: 'other', type: 'autonomous', queue: true }, caller),
      () => seen.cancel(own, why),
      () => seen.pin(own, { pinned: true }, 'guest'),
      () => seen.tune({ set: {}, reset: [] }, 'guest'),
      () => seen.ask(own, { kind: 'question', text: 'x' }),
      () => seen.answer({ requestId: 'x', decision: 'allow' }, 'guest'),
      () => seen.terminal(own),
      () => seen.detach(own),
      () => seen.move(own, { place: 1 }, 'guest'),
      () => seen.clear(undefined, why),
      () => seen.pause(why),
      () => seen.resume('guest'),
      () => seen.share({ sessionId: own, ...share }, 'guest'),
      () => seen.unshare({ sessionId: own, shareId: 'aaaa' }, 'guest'),
      () => seen.tasks({}),
      () => seen.task('other'),
    ];
    const before = engine.events.length;
    for (const deed of deeds) await expect(deed(), String(deed)).rejects.toMatchObject({ code: 'NOT_SHARED' });
    expect(engine.events).toHaveLength(before);
  });
});

describe('the scope of a token', () => {
  it('grows from reading to everything, and no tool is forgotten', () => {
    expect(SCOPES.map((scope) => SCOPES.filter((needed) => includes(scope, needed)))).toEqual([
      ['read'],
      ['read', 'operate'],
      [...SCOPES],
    ]);
    const needed = Object.fromEntries(TOOLS.map((tool) => [tool.name, scopeOf(tool)]));
    expect(needed).toMatchObject({
      session_logs: 'read',
      session_start: 'operate',
      queue_pause: 'operate',
      session_config: 'admin',
      session_share: 'admin',
      worktree_remove: 'admin',
      worktree_list: 'read',
    });
  });

  it('of a guest are tools that are there', () => {
    const names: readonly string[] = TOOLS.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([...toolsOfRole('prompt')]));
    expect(toolsOfRole('watch')).not.toContain('session_prompt');
  });
});

describe('a secret', () => {
  it('comes into no fact, and whoever put it into a prompt is told', async () => {
    const secrets = createSecrets();
    secrets.learn({ A_TOKEN: 'a-secret-value' });
    const engine = await makeEngine({ secrets });
    const { orchestrator } = engine;
    const start = { type: 'autonomous', queue: true } as const;
    const { session, notes } = await orchestrator.start({ ...start, taskId: 'other', prompt: 'Use a-secret-value.' }, caller);
    expect(notes).toMatchObject([expect.stringContaining('A secret in the prompt was masked')]);
    await engine.settle();
    engine.run(session.id).end(0, { result: { text: 'It is a-secret-value.', isError: false } });
    await engine.settle();
    expect(JSON.stringify(engine.events)).not.toContain('a-secret-value');
    expect(orchestrator.get(session.id).prompt).toContain(MASK);
    const plain = await orchestrator.start({ ...start, taskId: 'fix-login', prompt: 'Just do it.' }, caller);
    expect(plain.notes).toEqual([]);
  });
});
