import { appendFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openTail, type Tail } from '../../runners/tail.ts';
import { openWake } from '../../runners/wake.ts';
import { realClock } from './rig.ts';

let folder: string;
let file: string;
let tail: Tail;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tail-'));
  file = path.join(folder, 'out');
  tail = openTail(file);
});
afterEach(async () => {
  tail.close();
  await rm(folder, { recursive: true });
});

const texts = () => tail.read().map((line) => line.text);

it('counts as empty until the file is there', async () => {
  expect(tail.read()).toEqual([]);
  await writeFile(file, 'one\n');
  expect(texts()).toEqual(['one']);
});

it('keeps half a line back, even in the middle of a character, and gives it when the writer is gone', async () => {
  const bytes = Buffer.from('zwei €\ndrei');
  await writeFile(file, bytes.subarray(0, 6));
  expect(tail.read()).toEqual([]);
  await appendFile(file, bytes.subarray(6));
  expect(tail.read()).toEqual([{ text: 'zwei €', start: 0, end: 9 }]);
  expect(tail.rest()).toEqual({ text: 'drei', start: 9, end: 13 });
  expect(tail.rest()).toBeUndefined();
  expect(tail.offset).toBe(13);
});

it('takes only a line feed for the end of a line', async () => {
  await writeFile(file, 'a\u2028b\u2029c\u0085d\re\n\nf\n');
  expect(texts()).toEqual(['a\u2028b\u2029c\u0085d\re', '', 'f']);
});

it('begins at the byte it is given', async () => {
  await writeFile(file, 'one\ntwo\n');
  tail.close();
  tail = openTail(file, 4);
  expect(tail.read()).toEqual([{ text: 'two', start: 4, end: 8 }]);
});

it('cuts a line over 1 MB, tells its length, and reads on behind it', async () => {
  const length = 3 * 1024 * 1024 + 1;
  await writeFile(file, `x${'€'.repeat((length - 1) / 3)}\nnext\n`);
  const [long, next] = [...tail.read(), ...tail.read()];
  expect(long?.text).toMatch(/^x€+ … \[cut: the line has 3145729 bytes\]$/);
  expect(Buffer.byteLength(long?.text ?? '')).toBeLessThan(1024 * 1024 + 100);
  expect(next).toEqual({ text: 'next', start: length + 1, end: length + 6 });
});

it('notices that the file was trimmed, and begins anew', async () => {
  await writeFile(file, 'a long first line\nand half');
  tail.read();
  await truncate(file, 0);
  await appendFile(file, 'new\n');
  expect(texts()).toEqual(['new']);
});

it('loses nothing of what is written in arbitrary pieces', async () => {
  const lines = Array.from({ length: 2000 }, (_, at) => `${at} ${'ä€😀'.repeat(at % 50)}`);
  const bytes = Buffer.from(`${lines.join('\n')}\n`);
  const read: string[] = [];
  for (let at = 0; at < bytes.length; at += 7919) {
    await appendFile(file, bytes.subarray(at, at + 7919));
    read.push(...texts());
  }
  expect(read).toEqual(lines);
});

it('is woken by a change, by a nudge, and by time', async () => {
  const wake = openWake(folder, realClock, 'exit');
  const waited = async () => {
    const before = Date.now();
    await wake.next(5000);
    return Date.now() - before;
  };
  const change = waited();
  await appendFile(file, 'x');
  expect(await change).toBeLessThan(1000);
  const nudged = waited();
  wake.nudge();
  expect(await nudged).toBeLessThan(1000);
  const before = Date.now();
  for (let at = 0; at < 3; at++) await wake.next(40);
  expect(Date.now() - before).toBeGreaterThanOrEqual(40);
  // nudged all the time it sleeps on average, after a few times in a row
  const from = Date.now();
  for (let at = 0; at < 58; at++) {
    wake.nudge();
    await wake.next(5000);
  }
  expect(Date.now() - from).toBeGreaterThanOrEqual(180);
  wake.close();
  const gone = openWake(path.join(folder, 'not-there'), realClock, 'exit');
  await gone.next(20);
  gone.close();
});

it('gives way in the middle of a line that is very long, and says so', async () => {
  await writeFile(file, Buffer.alloc(9 * 1024 * 1024, 'x'));
  const reads = [tail.read(), tail.isBehind, tail.read(), tail.isBehind, tail.read(), tail.isBehind];
  expect(reads).toEqual([[], true, [], true, [], false]);
  await appendFile(file, '\n');
  expect(tail.read()).toMatchObject([{ start: 0, end: 9 * 1024 * 1024 + 1 }]);
});
