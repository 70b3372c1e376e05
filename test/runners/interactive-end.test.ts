import { mkdtemp, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { isAlive, processAt } from '../../runners/process.ts';
import { readChild, readClaim, readExit } from '../../runners/run-folder.ts';
import { tmuxAt, tmuxProgramOn } from '../../runners/tmux.ts';
import { kill, processesLeft } from '../support/processes.ts';
import { type InteractiveRig, listen, message, openInteractiveRig } from './interactive-rig.ts';
import { eventually } from './rig.ts';

let rig: InteractiveRig;
beforeAll(async () => {
  rig = await openInteractiveRig({ evidenceMs: 3000, quietMs: 400 });
});
afterAll(() => rig.close());

const CANCELLED = { kind: 'cancelled' } as const;

describe('the end of an interactive run', { timeout: 60_000 }, () => {
  it('leaves nothing behind, also of an agent that is stubborn and has children', async () => {
    const run = await rig.runner.start(rig.spec('stubborn', [message(1, '@@fork 600\n@@stubborn\n@@hang')]));
    const seen = listen(run);
    await seen.outcome(1);
    await delay(500);
    await run.stop({ kind: 'timeout' });
    await seen.over;
    expect(seen.events.at(-1)).toMatchObject({ kind: 'ended' });
    expect(rig.sessions()).not.toContain('s-stubborn');
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  });

  it('is seen when its pane is killed', async () => {
    const run = await rig.runner.start(rig.spec('pane', [message(1, '@@hang')]));
    const seen = listen(run);
    await seen.outcome(1);
    rig.tmux('kill-session', '-t', '=s-pane');
    await seen.over;
    expect(seen.events.at(-1)).toMatchObject({ kind: 'ended', exit: { code: 129 }, result: undefined });
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  });

  it('is seen when the tmux server is killed, and the next run gets a new server', async () => {
    const run = await rig.runner.start(rig.spec('server', [message(1, '@@hang')]));
    const seen = listen(run);
    await seen.outcome(1);
    kill(Number(rig.tmux('display-message', '-p', '#{pid}')), 'SIGKILL');
    await seen.over;
    expect(seen.events.at(-1)).toMatchObject({ kind: 'ended', exit: { code: 129 } });
    const next = await rig.runner.start(rig.spec('server-2', [message(2, '@@say here')]));
    const after = listen(next);
    expect(await after.outcome(2)).toBe('received');
    await next.stop(CANCELLED);
    await after.over;
    await eventually(() => (rig.tmux('display-message', '-p', '#{pid}') === '' ? true : undefined));
  });

  it('is seen where the program of tmux is gone', async () => {
    const bin = await mkdtemp(path.join(rig.root, 'bin-'));
    await symlink(await tmuxProgramOn(rig.env.PATH), path.join(bin, 'tmux'));
    const env = { ...rig.env, PATH: `${bin}:${rig.env.PATH}` };
    const run = await rig.runner.start(rig.spec('gone', [message(1, '@@hang')], undefined, { env }));
    const seen = listen(run);
    await seen.outcome(1);
    await rm(bin, { recursive: true });
    await run.stop(CANCELLED);
    await seen.over;
    expect(seen.events.at(-1)).toMatchObject({ kind: 'ended' });
    rig.tmux('kill-session', '-t', '=s-gone');
  });

  it('is made where nobody follows it', async () => {
    await rig.runner.start(rig.spec('unfollowed', [message(1, '@@fork 600\n@@hang')]));
    await eventually(() => readChild(rig.folder('unfollowed')));
    await rig.nextHub().end('unfollowed', 1);
    expect(rig.sessions()).not.toContain('s-unfollowed');
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  });

  it('leaves no server behind that was started for a run which was never opened', async () => {
    const tmux = tmuxAt(await tmuxProgramOn(rig.env.PATH), `${rig.socket}2`);
    onTestFinished(async () => void (await tmux.call([['kill-server']])));
    await tmux.ensureServer(rig.env.PATH, 1);
    const server = processAt(Number((await tmux.call([['display-message', '-p', '#{pid}']])).stdout));
    expect(server).toBeDefined();
    await eventually(() => (server && isAlive(server) ? undefined : true));
  });

  it('is lost when its supervisor and its agent were killed', async () => {
    const run = await rig.runner.start(rig.spec('lost', [message(1, '@@hang')]));
    const seen = listen(run);
    await seen.outcome(1);
    const claim = readClaim(rig.folder('lost'));
    const child = readChild(rig.folder('lost'));
    if (claim === undefined || claim === 'fenced' || !child) throw new Error('The run has no processes.');
    process.kill(claim.pid, 'SIGKILL');
    process.kill(child.pid, 'SIGKILL');
    await seen.over;
    expect(seen.events.at(-1)).toMatchObject({ kind: 'ended', exit: 'lost' });
    expect(isAlive(child)).toBe(false);
    expect(rig.sessions()).not.toContain('s-lost');
  });
});

describe('a run whose hub is gone', { timeout: 60_000 }, () => {
  it('is adopted with all it was told, and can be spoken to and stopped', async () => {
    await rig.runner.start(rig.spec('adopted', [message(1, '@@say first')]));
    await eventually(() => readChild(rig.folder('adopted')));
    const run = await rig.nextHub().adopt('adopted', 1);
    if (!run) throw new Error('It is not there.');
    const seen = listen(run);
    expect(await seen.outcome(1)).toBe('received');
    await run.tell(message(1, '@@say first'));
    await run.tell(message(2, '@@say second'));
    expect(await seen.outcome(2)).toBe('received');
    await seen.event('idle');
    await run.stop(CANCELLED);
    await seen.over;
    expect((await rig.logOf('adopted')).filter(({ kind }) => kind === 'prompt')).toHaveLength(2);
  });

  it('is adopted with its end when it ended meanwhile', async () => {
    await rig.runner.start(rig.spec('over', [], ['sh', '-c', 'echo done; exit 3']));
    await eventually(() => readExit(rig.folder('over')));
    expect(rig.sessions()).toContain('s-over');
    const run = await rig.nextHub().adopt('over', 1);
    const seen = run && listen(run);
    await seen?.over;
    expect(seen?.events.at(-1)).toMatchObject({ kind: 'ended', exit: { code: 3 }, stderr: 'done' });
    expect(rig.sessions()).not.toContain('s-over');
  });

  it('that never started is fenced', async () => {
    expect(await rig.nextHub().adopt('never', 1)).toBeUndefined();
    expect(readClaim(rig.folder('never'))).toBe('fenced');
  });
});
