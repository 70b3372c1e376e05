// One look at the world for many who ask at once.
import { expect, it } from 'vitest';
import { sharedDeed } from '../../storage/shared-deed.ts';

function deeds() {
  const ends: (() => void)[] = [];
  const deed = sharedDeed(async () => {
    const mine = ends.length + 1;
    await new Promise<void>((resolve) => ends.push(resolve));
    return mine;
  });
  return { ends, deed };
}

it('who comes while a deed is under way gets the next one, and all of them the same', async () => {
  const { ends, deed } = deeds();
  const first = deed();
  const [second, third] = [deed(), deed()];
  ends[0]?.();
  expect(await first).toBe(1);
  await expect.poll(() => ends.length).toBe(2);
  ends[1]?.();
  expect(await Promise.all([second, third])).toEqual([2, 2]);
  const fourth = deed();
  ends[2]?.();
  expect(await fourth).toBe(3);
});

it('a deed that fails takes nobody with it who came later', async () => {
  let times = 0;
  const deed = sharedDeed(async () => {
    if (times++ === 0) throw new Error('no');
    return times;
  });
  const first = deed();
  const second = deed();
  await expect(first).rejects.toThrow('no');
  expect(await second).toBe(2);
});
