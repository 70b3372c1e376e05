// A run that cannot be followed: it is taken up again, and no other run is the worse for it.
import { expect, it } from 'vitest';
import { makeEngine } from '../support/engine.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { ended, get, running } from './talk-rig.ts';

const full = () => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });

it('is taken up again after a rest, and ends as if nothing had been', async () => {
  const clock = fakeClock();
  const engine = await makeEngine({ clock });
  const [id, other] = [await running(engine), await running(engine)];
  const first = engine.run(id);
  first.breakOff(new TypeError('a fault'));
  await engine.settle();
  expect([get(engine, id).status, engine.run(id) === first]).toEqual(['running', true]);
  clock.advance(200);
  await engine.settle();
  expect(engine.run(id)).not.toBe(first);
  await ended(engine, id);
  await ended(engine, other);
  expect([get(engine, id).status, get(engine, other).status]).toEqual(['completed', 'completed']);
  expect(engine.errors).toEqual([new TypeError('a fault')]);
});

it('is waited for as long as the disk is full', async () => {
  const clock = fakeClock();
  const engine = await makeEngine({ clock });
  const id = await running(engine);
  for (let times = 0; times < 50; times += 1) {
    engine.run(id).breakOff(full());
    await engine.settle();
    clock.advance(60_000);
    await engine.settle();
  }
  expect(get(engine, id).status).toBe('running');
  await ended(engine, id);
  expect(get(engine, id).status).toBe('completed');
});

it('is given up as lost when it goes wrong again and again, and nothing of it is left', async () => {
  const clock = fakeClock();
  const gone: string[] = [];
  const engine = await makeEngine({ clock, end: (id) => gone.push(id) });
  const [id, other] = [await running(engine), await running(engine)];
  for (let times = 0; times < 10; times += 1) {
    engine.run(other).say({ kind: 'spoke', bytes: times + 1 });
    expect(get(engine, id).status).toBe('running');
    engine.run(id).breakOff(new TypeError('a fault'));
    await engine.settle();
    clock.advance(Math.min(200 * 2 ** times, 60_000));
    await engine.settle();
  }
  expect(gone).toEqual([id]);
  expect(get(engine, id)).toMatchObject({ status: 'failed', run: 1, cause: { kind: 'lost' } });
  await ended(engine, other);
  expect(get(engine, other).status).toBe('completed');
});

it('is not given up for faults with long good times between them', async () => {
  const clock = fakeClock();
  const engine = await makeEngine({ clock });
  const id = await running(engine);
  for (let times = 0; times < 30; times += 1) {
    clock.advance(61_000);
    await engine.settle();
    engine.run(id).breakOff(new TypeError('a fault'));
    await engine.settle();
    clock.advance(200);
    await engine.settle();
  }
  expect(get(engine, id).status).toBe('running');
  await ended(engine, id);
  expect(get(engine, id).status).toBe('completed');
});

it('is stopped without a rest when it is cancelled', async () => {
  const engine = await makeEngine({ clock: fakeClock() });
  const id = await running(engine);
  engine.run(id).breakOff(full());
  await engine.settle();
  const cancelling = engine.orchestrator.cancel(id, { by: 'a test' });
  await engine.settle();
  expect(engine.run(id).stops).toMatchObject([{ kind: 'cancelled' }]);
  await ended(engine, id, 143);
  await cancelling;
  expect(get(engine, id).status).toBe('cancelled');
});
