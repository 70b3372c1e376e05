// The journal on disk: acknowledged is kept through kills, torn ends are mended, damage is never passed over.
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { StoredEvent } from '../../core/events.ts';
import { openJournal, openSegmentFile, type SegmentFile } from '../../storage/embedded/journal.ts';
import { journalConformance, readAll, stored } from '../conformance/journal.ts';

const KILLS = Number(process.env.SCOPECRAFT_WRITER_KILLS ?? 12);
vi.setConfig({ testTimeout: 60_000 + 2_000 * KILLS });

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

/** Writes events 1…count in segments of so many. */
async function segmented(count: number, segmentEvents: number): Promise<void> {
  const journal = await openJournal(folder(), { segmentEvents });
  for (let seq = 1; seq <= count; seq++) await journal.append(stored(seq));
  await journal.close();
}

/** What a start finds. */
async function opened(after?: number): Promise<StoredEvent[]> {
  const journal = await openJournal(folder());
  return readAll(journal, after).finally(() => journal.close());
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
      const read = opened();
      if (at < lastLine)
        await expect(read, `byte ${at}`).rejects.toMatchObject({
          code: 'STORAGE_CORRUPT',
          message: expect.stringMatching(/line \d, byte \d+/),
        });
      else expect(await read, `byte ${at}`).toEqual([stored(1), stored(2)]);
    }
  });

  it('damaged in an earlier segment is an error, wherever', async () => {
    const file = await written(2);
    await writeFile(path.join(folder(), '000000000003.ndjson'), await readFile(file));
    await writeFile(file, (await readFile(file)).subarray(0, -3));
    await expect(opened()).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' });
  });

  it('that lacks a segment is an error, and which events are gone is said', async () => {
    await segmented(20, 5);
    await rm(path.join(folder(), '000000000006.ndjson'));
    await expect(opened()).rejects.toMatchObject({
      code: 'STORAGE_CORRUPT',
      message: expect.stringContaining('lacks the events 6 to 10'),
    });
    expect((await opened(10)).map(({ seq }) => seq)).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  });

  it('is kept in segments of bounded size, which a start goes on with', async () => {
    await segmented(12, 5);
    expect((await readdir(folder())).sort()).toEqual(['000000000001.ndjson', '000000000006.ndjson', '000000000011.ndjson']);
    const journal = await openJournal(folder(), { segmentEvents: 5 });
    expect(journal.extent()).toEqual({ first: 1, last: 12, bytes: 0 });
    for (let seq = 13; seq <= 16; seq++) await journal.append(stored(seq));
    expect((await readAll(journal)).map(({ seq }) => seq)).toEqual(Array.from({ length: 16 }, (_, at) => at + 1));
    await journal.close();
    expect(await readdir(folder())).toHaveLength(4);
    const small = await openJournal(folder(), { segmentBytes: 10 });
    for (let seq = 17; seq <= 19; seq++) await small.append(stored(seq));
    await small.close();
    expect(await readdir(folder())).toHaveLength(7);
  });

  it('is trimmed by whole segments, none of them with an event that is still wanted, and goes on', async () => {
    await segmented(22, 5);
    const journal = await openJournal(folder(), { segmentEvents: 5 });
    await journal.trim(9);
    expect(journal.extent()).toMatchObject({ first: 6, last: 22 });
    await journal.trim(1000);
    expect(journal.extent()).toMatchObject({ first: 21, last: 22 });
    expect((await readAll(journal)).map(({ seq }) => seq)).toEqual([21, 22]);
    await journal.append(stored(23));
    await journal.close();
    expect((await opened()).map(({ seq }) => seq)).toEqual([21, 22, 23]);
  });

  it('touches no segment again that could not be closed: its number may be that of another file by then', async () => {
    const deeds: string[] = [];
    const openSegment = async (file: string, isNew: boolean): Promise<SegmentFile> => {
      const segment = await openSegmentFile(file, isNew);
      let isClosed = false;
      const told = () => {
        if (isClosed) deeds.push(path.basename(file));
        return segment;
      };
      return {
        write: (...given) => told().write(...given),
        datasync: () => told().datasync(),
        truncate: (length) => told().truncate(length),
        stat: () => told().stat(),
        async close() {
          await told().close();
          isClosed = true;
          throw new Error('EIO');
        },
      };
    };
    const journal = await openJournal(folder(), { segmentEvents: 1, openSegment });
    await journal.append(stored(1));
    await expect(journal.append(stored(2))).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await journal.append(stored(2));
    await expect(journal.close()).rejects.toThrow('EIO');
    await journal.close();
    expect(deeds).toEqual([]);
    expect((await opened()).map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it('whose last segment was begun and never written is as if that were not there', async () => {
    await segmented(5, 5);
    await writeFile(path.join(folder(), '000000000006.ndjson'), '00000000 {"seq":6');
    const journal = await openJournal(folder());
    expect(journal.extent()).toMatchObject({ first: 1, last: 5 });
    await journal.append(stored(6));
    await journal.close();
    expect((await opened()).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('tells an event of a newer version from damage, in a sentence', async () => {
    const lines = [
      { ...stored(1), name: 'session.danced' },
      { ...stored(1), data: { reason: 7 } },
    ].map((event) => {
      const json = JSON.stringify(event);
      return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
    });
    const file = await written(1);
    for (const [line, code, says] of [
      [
        lines[0],
        'HUB_VERSION',
        'Event 1 of the journal is a "session.danced", which this version does not know: a newer version wrote it.',
      ],
      [lines[1], 'STORAGE_CORRUPT', 'Event 1 of the journal, a hub.stopped, has not the form this version knows.'],
    ] as const) {
      await writeFile(file, line ?? '');
      await expect(opened()).rejects.toMatchObject({ code, message: says });
    }
  });

  it(`loses nothing that was acknowledged when its process is killed, ${KILLS} times`, async () => {
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
    for (let round = 0; round < KILLS; round++) {
      const writer = spawn(process.execPath, [program, folder()], { stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      writer.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said.length > 20 + 37 * (round % 12)) writer.kill('SIGKILL');
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
    expect(acknowledged).toBeGreaterThan(KILLS);
  });
});
