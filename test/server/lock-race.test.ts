// Sixteen processes contend for a workspace at the same time; T1 of the reliability tests.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { buildPrograms } from '../support/hub-bench.ts';
import { kill } from '../support/processes.ts';

const CONTENDERS = 16;
const ROUNDS = Number(process.env.SCOPECRAFT_RACES ?? 50);
vi.setConfig({ testTimeout: 70_000 + 1_000 * ROUNDS });
const Report = z.object({
  round: z.number(),
  epoch: z.number().optional(),
  still: z.boolean().optional(),
  error: z.string().optional(),
});

let root = '';
let programs = '';

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'sc-race-'));
  programs = await buildPrograms('1.0.0');
});

afterAll(() => {
  for (const folder of [root, programs]) rmSync(folder, { recursive: true, force: true });
});

test(`${CONTENDERS} contenders make exactly one owner in each of ${ROUNDS} rounds, fresh or with leftovers of a killed one, stalled or not`, async () => {
  const contenders = Array.from({ length: CONTENDERS }, startContender);
  const outcomes: string[] = [];
  let stale = 0;
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      const place = {
        stateDir: path.join(root, String(round), '.scopecraft/state'),
        runtimeDir: path.join(root, String(round), 'run', 'h'),
      };
      const epochs = { before: 0 };
      if (round % 2 === 0) {
        // an owner that is killed leaves its claim, its socket and a half-made record
        const victim = startContender();
        const owned = reportOf(victim, round);
        victim.send({ round, ...place, stallMs: 0 });
        epochs.before = (await owned).epoch ?? 0;
        const gone = new Promise((resolve) => victim.once('exit', resolve));
        kill(victim.pid, 'SIGKILL');
        await gone;
        writeFileSync(path.join(place.stateDir, '.claim.0123'), '{"epoch"');
        expect(readdirSync(place.runtimeDir)).toHaveLength(1);
        stale += 1;
      }
      const reports = contenders.map((contender) => reportOf(contender, round));
      for (const contender of contenders) contender.send({ round, ...place, stallMs: round % 5 === 0 ? 120 : 0 });
      const all = await Promise.all(reports);
      const owners = all.filter(({ epoch = 0 }) => epoch > 0);
      const problems = all.filter(({ error }) => error !== undefined);
      outcomes.push(`${owners.length} owner, ${owners.filter(({ still }) => still).length} still, ${problems.length} problems`);
      expect(owners[0]?.epoch).toBeGreaterThan(epochs.before);
      expect(readdirSync(place.stateDir).filter((name) => /^hub\.\d+\.json$/.test(name))).toEqual([
        `hub.${owners[0]?.epoch}.json`,
      ]);
      expect(JSON.parse(readFileSync(path.join(place.stateDir, 'hub.json'), 'utf8')).epoch).toBe(owners[0]?.epoch);
    }
    expect(new Set(outcomes)).toEqual(new Set(['1 owner, 1 still, 0 problems']));
    expect(outcomes).toHaveLength(ROUNDS);
    expect(stale).toBe(ROUNDS / 2);
  } finally {
    for (const contender of contenders) contender.kill();
  }
});

function startContender(): ChildProcess {
  return fork(path.join(programs, 'contender.cjs'), { execArgv: [] });
}

function reportOf(contender: ChildProcess, round: number): Promise<z.infer<typeof Report>> {
  return new Promise((resolve) => {
    const take = (message: unknown) => {
      const report = Report.parse(message);
      if (report.round !== round) return;
      contender.off('message', take);
      resolve(report);
    };
    contender.on('message', take);
  });
}
