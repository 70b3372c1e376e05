// The journal on disk: acknowledged is kept through kills, torn ends are mended, damage is never passed over.
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openJournal } from '../../storage/embedded/journal.ts';
import { journalConformance, readAll, stored } from '../conformance/journal.ts';

let root = '';
const folder = () => path.join(root, 'journal');

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sc-journal-'));
});

afterEach(() => rm(root, { recursive: true, force: true }));

/** Writes events 1…count and answers the file they are in. */
async function written(count: number): Promise<string> {
  const journal = await openJournal(folder());
  await readAll(journal);
  for (let seq = 1; seq <= count; seq++) await journal.append(stored(seq));
  await journal.close();
  return path.join(folder(), '000000000001.ndjson');
}

async function reopened(): Promise<number[]> {
  const journal = await openJournal(folder());
  const events = await readAll(journal);
  await journal.append(stored(events.length + 1, 'after repair'));
  await journal.close();
  const again = await openJournal(folder());
  const all = await readAll(again);
  await again.close();
  expect(all.at(-1)).toEqual(stored(events.length + 1, 'after repair'));
  return events.map(({ seq }) => seq);
}

describe('a journal on disk', () => {
  journalConformance(() => openJournal(folder()));

  it('cut at any byte gives back exactly the whole lines before it, keeps the rest aside, and goes on', async () => {
    const file = await written(4);
    const bytes = await readFile(file);
    for (let cut = 0; cut <= bytes.length; cut++) {
      await rm(folder(), { recursive: true });
      await written(0);
      await writeFile(file, bytes.subarray(0, cut));
      const whole = bytes.subarray(0, cut).toString('latin1').split('\n').length - 1;
      expect(await reopened(), `cut at ${cut}`).toEqual(Array.from({ length: whole }, (_, at) => at + 1));
      const torn = cut - (bytes.subarray(0, cut).lastIndexOf(0x0a) + 1);
      const aside = (await readdir(folder())).filter((name) => name.includes('.torn-'));
      expect(aside).toHaveLength(torn > 0 ? 1 : 0);
      if (aside[0]) expect((await readFile(path.join(folder(), aside[0]))).length).toBe(torn);
    }
  });

  it('with any byte changed never gives back something else: damage before good lines is an error, at the end it is cut', async () => {
    const file = await written(3);
    const bytes = await readFile(file);
    const lastLine = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0x04;
      await rm(folder(), { recursive: true });
      await written(0);
      await writeFile(file, damaged);
      const journal = await openJournal(folder());
      const read = readAll(journal).finally(() => journal.close());
      if (at < lastLine) await expect(read, `byte ${at}`).rejects.toMatchObject({ code: 'STORAGE_CORRUPT', message: expect.stringMatching(/line \d, byte \d+/) });
      else expect(await read, `byte ${at}`).toEqual([stored(1), stored(2)]);
    }
  });

  it('damaged in an earlier segment is an error, wherever', async () => {
    const file = await written(2);
    await writeFile(path.join(folder(), '000000000003.ndjson'), await readFile(file));
    await writeFile(file, (await readFile(file)).subarray(0, -3));
    const journal = await openJournal(folder());
    await expect(readAll(journal)).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' });
    await journal.close();
  });

  it('refuses everything after a write that failed', async () => {
    const journal = await openJournal(folder());
    await readAll(journal);
    await rm(folder(), { recursive: true });
    await expect(journal.append(stored(1))).rejects.toThrow('ENOENT');
    await expect(journal.append(stored(2))).rejects.toThrow('ENOENT');
    await journal.close();
  });

  it('loses nothing that was acknowledged when its process is killed, 12 times', { timeout: 60_000 }, async () => {
    const program = path.join(root, 'writer.mjs');
    await build({
      stdin: {
        contents: `
          import { openJournal } from './storage/embedded/journal.ts';
          const journal = await openJournal(process.argv[2]);
          let seq = 0;
          for await (const event of journal.read()) seq = event.seq;
          const next = () => journal.append({ seq: ++seq, at: seq, node: 'w/1', name: 'hub.stopped', data: { reason: 'x'.repeat(seq % 300) } });
          for (;;) {
            const mine = Array.from({ length: 7 }, () => { const done = next(); const n = seq; return done.then(() => n); });
            process.stdout.write((await Promise.all(mine)).join('\\n') + '\\n');
          }`,
        resolveDir: path.resolve(import.meta.dirname, '../..'),
        loader: 'ts',
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: program,
      logLevel: 'silent',
    });
    let acknowledged = 0;
    for (let round = 0; round < 12; round++) {
      const writer = spawn(process.execPath, [program, folder()], { stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      writer.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said.length > 20 + 37 * round) writer.kill('SIGKILL');
      });
      await new Promise((resolve) => writer.once('close', resolve));
      const whole = said.slice(0, said.lastIndexOf('\n')).split('\n').map(Number);
      acknowledged = Math.max(acknowledged, ...whole);
      const journal = await openJournal(folder());
      const seqs = (await readAll(journal)).map(({ seq }) => seq);
      await journal.close();
      expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, at) => at + 1));
      expect(seqs.length).toBeGreaterThanOrEqual(acknowledged);
    }
    expect(acknowledged).toBeGreaterThan(12);
  });
});
