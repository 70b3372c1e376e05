// Reading the log of a session: from any place, from the end, over several runs, while it grows, and however large it is.
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogEntry, LogQuery, Logs } from '../../core/ports.ts';
import { createSecrets, MASK } from '../../core/secrets.ts';
import { learningSecrets, maskedLogs } from '../../server/masking.ts';
import { createSessionLogs } from '../../storage/session-logs.ts';

let root = '';
let logs: Logs;
const out = (run: number) => path.join(root, 'sessions', 's', String(run), 'out');

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sc-logs-'));
  for (const run of [1, 2]) await mkdir(path.dirname(out(run)), { recursive: true });
  // a line is one entry, `a|b` is two, an empty one is none
  const read = (line: string) =>
    line
      .split('|')
      .filter(Boolean)
      .map((text) => ({ kind: text.startsWith('!') ? ('error' as const) : ('text' as const), text }));
  logs = createSessionLogs({ stateDir: root, reader: () => read });
});

afterEach(() => rm(root, { recursive: true, force: true }));

const page = (query: Partial<LogQuery>, runs = 1) => logs.page('s', runs, { limit: 100, characters: 10_000, ...query });
const texts = (entries: readonly LogEntry[]) => entries.map(({ text }) => text);

describe('the log of a session', () => {
  it('hides a secret of its environment on every page, however many others were learned between two', async () => {
    await writeFile(out(1), 'it is first-secret-of-s\nit is first-secret-of-s\n');
    const secrets = createSecrets();
    const environments = {
      keep: async () => {},
      forget: async () => {},
      kept: async () => [],
      find: async () => ({ A_TOKEN: 'first-secret-of-s' }),
    };
    const reader = () => (text: string) => [{ kind: 'text' as const, text }];
    const masked = maskedLogs({ stateDir: root, reader, environments: learningSecrets(environments, secrets), secrets });
    const query = { limit: 1, characters: 10_000 };
    const first = await masked.page('s', 1, { ...query, after: '0:0.0' });
    expect(texts(first.entries)).toEqual([`it is ${MASK}`]);
    for (let at = 0; at < 3000; at++) secrets.learn({ A_TOKEN: `another-secret-${at}-x` });
    expect(texts((await masked.page('s', 1, { ...query, after: first.cursor })).entries)).toEqual([`it is ${MASK}`]);
  });

  it('is empty while nothing was written', async () => {
    expect(await page({ tail: 5 })).toEqual({ entries: [], cursor: undefined, more: false });
    expect(await page({ after: '0:0.0' }, 0)).toEqual({ entries: [], cursor: '0:0.0', more: false });
  });

  it('is read in pages without a gap or a repeat, also within a line and over runs', async () => {
    await writeFile(out(1), 'a|b|c\n\nd\n');
    await writeFile(out(2), 'e\nf|g\n');
    const seen: string[] = [];
    let after: string | undefined = '0:0.0';
    for (let n = 0; n < 20; n++) {
      const { entries, cursor, more }: Awaited<ReturnType<typeof page>> = await page({ after, limit: 2 }, 2);
      seen.push(...texts(entries));
      after = cursor;
      if (!more) break;
    }
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    expect((await page({ after }, 2)).entries).toEqual([]);
    await appendFile(out(2), 'h\n');
    expect(texts((await page({ after }, 2)).entries)).toEqual(['h']);
  });

  it('takes its end and a run that has not begun as places, and none behind them', async () => {
    await writeFile(out(1), 'a\nb\n');
    for (const after of ['1:2.0', '1:4.0', '2:0.0', '0:0.0'])
      expect(texts((await page({ after }, 2)).entries)).toEqual(after === '0:0.0' ? ['a', 'b'] : []);
    for (const after of ['1:5.0', '3:0.0', '9:99999.0'])
      await expect(page({ after }, 2)).rejects.toMatchObject({
        code: 'CURSOR_INVALID',
        message: `"${after}" is behind the end of the log.`,
      });
    await appendFile(out(1), 'c\n');
    expect(texts((await page({ after: '1:2.0' }, 2)).entries)).toEqual(['c']);
  });

  it('gives the last entries in their order, with the place to go on from', async () => {
    await writeFile(out(1), 'a\nb\n');
    await writeFile(out(2), 'c|d\ne\n');
    expect(texts((await page({ tail: 3 }, 2)).entries)).toEqual(['c', 'd', 'e']);
    const { entries, cursor } = await page({ tail: 100 }, 2);
    expect(texts(entries)).toEqual(['a', 'b', 'c', 'd', 'e']);
    await appendFile(out(2), 'f\n');
    expect(texts((await page({ after: cursor }, 2)).entries)).toEqual(['f']);
  });

  it('keeps half a line back until it is whole, or until nobody writes any more', async () => {
    await writeFile(out(1), 'a\nhal');
    expect(texts((await page({ after: '0:0.0' })).entries)).toEqual(['a']);
    expect(texts((await page({ tail: 9 })).entries)).toEqual(['a']);
    await writeFile(path.join(path.dirname(out(1)), 'exit'), '0\n');
    expect(texts((await page({ after: '0:0.0' })).entries)).toEqual(['a', 'hal']);
    expect(texts((await page({ tail: 9 })).entries)).toEqual(['a', 'hal']);
  });

  it('can be asked for some kinds only, and the place still moves on', async () => {
    await writeFile(out(1), 'a\n!b\nc\n');
    const { entries, cursor } = await page({ after: '0:0.0', kinds: ['error'] });
    expect(texts(entries)).toEqual(['!b']);
    expect((await page({ after: cursor })).entries).toEqual([]);
    expect(texts((await page({ tail: 2, kinds: ['text'] })).entries)).toEqual(['a', 'c']);
  });

  it('stays within its size and says that more follows; a single huge entry is cut', async () => {
    await writeFile(out(1), `${'x'.repeat(600)}\n${'y'.repeat(600)}\n${'z'.repeat(5000)}\n`);
    const first = await page({ after: '0:0.0', characters: 1000 });
    expect(first).toMatchObject({ entries: [{ text: 'x'.repeat(600) }], more: true });
    const last = await page({ tail: 5, characters: 1000 });
    expect(last.entries).toHaveLength(1);
    expect(last.entries[0]?.text).toBe(`${'z'.repeat(1000)}… (5000 characters)`);
  });

  it('with 50 MB and a line of 3 MB is read from the end, and from a place, without reading it all', async () => {
    const block = `${'line of some length '.repeat(50)}\n`.repeat(1000);
    await writeFile(out(1), `first\n${'long '.repeat(600_000)}\n`);
    for (let n = 0; n < 48; n++) await appendFile(out(1), block);
    await appendFile(out(1), 'last\n');
    expect(texts((await page({ tail: 1 })).entries)).toEqual(['last']);
    const first = await page({ after: '0:0.0', characters: 40_000 });
    expect(first).toMatchObject({ entries: [{ text: 'first' }], more: true });
    const second = await page({ after: first.cursor, characters: 40_000 });
    expect(second.entries).toHaveLength(1);
    expect(second.entries[0]?.text.slice(40_000)).toMatch(/^… \(10\d{5} characters\)$/);
  });

  it('can be searched by a pattern, from the end and from a place', async () => {
    await writeFile(out(1), 'an Error\n!error 12\nfine\n!error 7\n');
    expect(texts((await page({ tail: 5, grep: 'error \\d' })).entries)).toEqual(['!error 12', '!error 7']);
    expect(texts((await page({ tail: 1, grep: '(?i)ERROR' })).entries)).toEqual(['!error 7']);
    expect(texts((await page({ after: '0:0.0', grep: '(?i)error', kinds: ['text'] })).entries)).toEqual(['an Error']);
    expect((await page({ tail: 5, grep: 'nowhere' })).entries).toEqual([]);
  });

  it('says of what was read from the end whether there is more before it', async () => {
    await writeFile(out(1), 'a\nb\n!c\n');
    const earlier = async (query: Partial<LogQuery>) => (await page(query)).earlier;
    expect(await earlier({ tail: 2 })).toBe(true);
    expect(await earlier({ tail: 3 })).toBeUndefined();
    expect(await earlier({ tail: 5, characters: 1 })).toBe(true);
    expect(await earlier({ tail: 1, grep: 'c' })).toBeUndefined();
    expect(await earlier({ after: '0:0.0' })).toBeUndefined();
  });

  it('takes a pattern that would keep others busy for ever in its stride, and refuses one it cannot match so', async () => {
    await writeFile(out(1), `${'a'.repeat(60_000)}!\n${'x '.repeat(30_000)}\n`);
    for (const grep of ['^(a+)+$', '(a|aa)+$', '(.*a){20}b', '\\s*$y'])
      expect((await page({ tail: 5, grep, characters: 10 })).entries).toEqual([]);
    for (const grep of ['(?=a)', '(a)\\1', '(?<!a)b', '(', '[z-a]', 'a{5000}'])
      await expect(page({ tail: 5, grep }), grep).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('is no pattern'),
      });
  });

  it('is searched a bounded part at a time: from a place it can be gone on with, from the end it is said that there is more', async () => {
    const filler = `${'nothing to be found here '.repeat(40)}\n`.repeat(12_000);
    await writeFile(out(1), `needle\n${filler}`);
    expect(await page({ tail: 5, grep: 'needle' })).toMatchObject({ entries: [], isCutShort: true });
    expect((await page({ tail: 1, grep: 'found' })).isCutShort).toBeUndefined();
    await writeFile(out(1), `${filler}needle\n`);
    let pages = 0;
    let found: readonly string[] = [];
    for (let after: string | undefined = '0:0.0', more = true; more; pages++) {
      const { entries, ...next } = await page({ after, grep: 'needle' });
      found = [...found, ...texts(entries)];
      ({ cursor: after, more } = next);
    }
    expect(found).toEqual(['needle']);
    expect(pages).toBeGreaterThan(2);
    expect((await page({ tail: 5 })).isCutShort).toBeUndefined();
  });

  it('is read between two places', async () => {
    await writeFile(out(1), 'a|b\nc\n');
    await writeFile(out(2), 'd\ne\n');
    const all = (await page({ after: '0:0.0' }, 2)).entries;
    const seqs = all.map(({ seq }) => seq);
    for (let from = 0; from < all.length; from++)
      for (let to = from; to < all.length; to++) {
        const part = await page({ after: from === 0 ? '0:0.0' : seqs[from - 1], upTo: seqs[to] }, 2);
        expect(texts(part.entries)).toEqual(texts(all.slice(from, to + 1)));
        expect(part.more).toBe(false);
      }
    expect(await page({ after: '0:0.0', upTo: seqs[3], limit: 2 }, 2)).toMatchObject({
      entries: [{}, {}],
      more: true,
      cursor: seqs[1],
    });
    await expect(page({ after: '0:0.0', upTo: 'x' })).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
  });

  it('refuses a place that is none', async () => {
    await expect(page({ after: 'x' })).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
  });
});
