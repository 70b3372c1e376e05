// What is done with each look at the input box of Claude Code; the screens are played.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DELIVERY_LIMITS } from '../../runners/deliver.ts';
import { createClaudeDelivery } from '../../runners/deliver-claude.ts';
import { createInteractiveState } from '../../runners/interactive-state.ts';
import { openTold, prepareTold } from '../../runners/told.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { idOf, message } from './interactive-rig.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'deliver-'));
});
afterAll(() => rm(root, { recursive: true }));

/** A screen whose box shows this. */
const screenWith = (text: string) => ['\u2500'.repeat(20), `\u276f\u00a0${text}`, '\u2500'.repeat(20)].join('\n');

/** A delivery of these messages whose box shows what the test says; `moves` answers whether the cursor moved in between. */
async function openBox(...texts: string[]) {
  const folder = await mkdtemp(path.join(root, 'told-'));
  prepareTold(
    folder,
    texts.map((text, at) => message(at, text)),
  );
  const told = openTold(folder);
  const clock = fakeClock();
  const done: string[] = [];
  const box = { shows: '', hasMoved: false };
  const pane = {
    session: 's',
    open: async () => undefined,
    look: async () => ({ pane: '%0', isDead: false, cursor: '2,1', title: '', attached: 0, screen: screenWith(box.shows) }),
    paste: async (text: string) => !box.hasMoved && done.push(`paste ${text}`) > 0,
    press: async (key: string) => !box.hasMoved && done.push(key) > 0,
    detach: async () => 0,
    close: async () => undefined,
  };
  const agent = createInteractiveState();
  agent.take({ kind: 'begins', transcript: undefined, source: 'startup' }, 'hooks');
  const scene = { pane, agent, told, clock, limits: DELIVERY_LIMITS, seen: () => ({ hooks: 0, out: 0 }) };
  const deliver = createClaudeDelivery(clock);
  /** One look at the oldest message that is not done. */
  const step = async (sinceMs = 0) => {
    const next = told.all().find(({ state }) => state !== 'received' && state !== 'undelivered');
    if (next) await deliver(scene, { message: next, sinceMs, isOurs: true });
    return next && told.all().find(({ promptId }) => promptId === next.promptId)?.state;
  };
  return { box, done, step, told, clock, agent };
}

describe('a message for Claude Code', () => {
  it('is pasted into an empty box, and submitted when it is seen there', async () => {
    const { box, done, step } = await openBox('go on');
    expect(await step()).toBe('pasting');
    expect(await step(500)).toBe('pasting');
    box.shows = 'go on ';
    expect(await step(600)).toBe('entering');
    expect(done).toEqual(['paste go on ', 'Enter']);
  });

  it('is pasted at the next look where the cursor moved in between', async () => {
    const { box, done, step, told } = await openBox('go on');
    box.hasMoved = true;
    expect(await step()).toBe('said');
    expect([told.all()[0]?.tries, done]).toEqual([0, []]);
    box.hasMoved = false;
    expect(await step()).toBe('pasting');
    expect(done).toEqual(['paste go on ']);
  });

  it('is submitted at the next look where the cursor moved in between, and once where it did not', async () => {
    const { box, done, step, clock } = await openBox('go on');
    await step();
    Object.assign(box, { shows: 'go on ', hasMoved: true });
    expect(await step()).toBe('entering');
    box.hasMoved = false;
    clock.advance(6000);
    await step(10);
    await step(20);
    expect(done).toEqual(['paste go on ', 'Enter']);
  });

  it('waits from the moment in which something is asked, also while the dialog is not drawn yet', async () => {
    const { done, step, agent } = await openBox('go on');
    agent.take({ kind: 'asks', text: 'Bash' }, 'hooks');
    expect([await step(), await step(60_000), done]).toEqual(['said', 'said', []]);
    agent.take({ kind: 'works', said: undefined }, 'out');
    expect([await step(), done]).toEqual(['pasting', ['paste go on ']]);
  });

  it('breaks off what is done before it is said, once, where it is to interrupt', async () => {
    const { done, step, agent, told } = await openBox();
    agent.take({ kind: 'prompt', text: 'earlier', key: undefined }, 'hooks');
    told.say(message(1, 'stop it', 'interrupt'));
    expect([await step(), done]).toEqual(['said', ['Escape']]);
    expect([await step(), done]).toEqual(['pasting', ['Escape', 'paste stop it ']]);
  });

  it('is submitted where a paste that was given up comes to be seen', async () => {
    const { box, done, step } = await openBox('go on');
    await step();
    expect(await step(11_000)).toBe('said');
    box.shows = 'go on ';
    expect(await step()).toBe('entering');
    expect(done).toEqual(['paste go on ', 'Enter']);
  });

  it('waits for what a person types, and fails when that is not sent', async () => {
    const { box, done, step } = await openBox('go on');
    box.shows = 'half a thou';
    expect(await step(20_000)).toBe('said');
    expect(await step(31_000)).toBe('undelivered');
    expect(done).toEqual([]);
  });

  it('clears away the one before, row by row, which stayed in the box although the agent has it', async () => {
    const { box, done, step, told, clock } = await openBox('go\non', 'and on');
    await step();
    box.shows = 'go\n  on ';
    await step();
    told.step(idOf(0), { state: 'received' });
    const keys = () => done.filter((key) => key === 'C-u').length;
    const seen = async (shows: string, laterMs: number) => {
      box.shows = shows;
      clock.advance(laterMs);
      expect(await step()).toBe('said');
      return keys();
    };
    // at first it may be what a busy program still shows
    expect(await seen('go\n  on ', 0)).toBe(0);
    expect(await seen('go\n  on ', 1900)).toBe(0);
    expect(await seen('go\n  on ', 100)).toBe(1);
    // the next key when that one was taken, or is taken for lost
    expect(await seen('go\n  on ', 100)).toBe(1);
    expect(await seen('go', 100)).toBe(2);
    expect(await seen('go', 1000)).toBe(2);
    expect(await seen('go', 1000)).toBe(3);
    box.shows = '';
    expect(await step()).toBe('pasting');
    expect(done.at(-1)).toBe('paste and on ');
  });

  it('does not clear away what a person has added to it or types anew', async () => {
    const { box, done, step, told, clock } = await openBox('go on', 'and on');
    await step();
    box.shows = 'go on ';
    await step();
    told.step(idOf(0), { state: 'received' });
    for (const typed of ['go on and', 'go', 'stop']) {
      box.shows = typed;
      clock.advance(5000);
      expect(await step()).toBe('said');
    }
    expect(done).toEqual(['paste go on ', 'Enter']);
  });
});
