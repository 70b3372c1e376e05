// `npm run test:conformance`: the conformance suite of MCP, in both eras, and the Inspector's command line, against this build.
//
//   the product itself, as `sc serve --http` serves it     the scenarios that need nothing but a server
//   the same HTTP stack with the suite's own tools         everything that both requirement sets contain, the Tasks extension included
//   the product on stdio, through the Inspector            tools/list --strict, a call, a resource, a prompt, in both eras
//   the product on stdio, with Codex and Claude Code       a session started and waited for; a task, its form, and the model woken
//
// What may fail is in expected-failures.yml, with the reason. A check that fails and is not there ends this with exit code 1, and so does one
// that is there and does not fail. Optional scenarios count as the others do.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { PROJECT } from '../support/project.ts';
import { runProgram } from '../support/run-program.ts';
import { tryClaude } from './claude.ts';
import { tryCodex } from './codex.ts';
import { inspectDoor, inspectPrompts } from './inspector.ts';
import { findPrograms, type Programs } from './programs.ts';
import { openEverything, openProduct, type Subject } from './subjects.ts';

const TIMEOUT_MS = 240_000;
/** Scenarios that need no tool, resource or prompt of the suite's own. */
const GENERIC = {
  '2025-11-25': [
    'server-initialize',
    'server-session-lifecycle',
    'ping',
    'tools-list',
    'resources-list',
    'server-sse-multiple-streams',
    'dns-rebinding-protection',
  ],
  '2026-07-28': ['server-stateless', 'tools-list', 'resources-list', 'sep-2164-resource-not-found', 'dns-rebinding-protection'],
} as const;
/** The sets must not get smaller unseen. */
const LEAST_SCENARIOS = { '2025-11-25': 33, '2026-07-28': 50 } as const;
const REVISIONS = ['2025-11-25', '2026-07-28'] as const;
type Revision = (typeof REVISIONS)[number];

const Check = z.looseObject({ id: z.string(), status: z.string(), errorMessage: z.string().optional() });
const Expected = z.record(z.string(), z.array(z.string()).nullable());

const counts = { passed: 0, failed: 0 };
const count = (what: string, problem: string | undefined) => {
  counts[problem === undefined ? 'passed' : 'failed'] += 1;
  const at = `${(performance.now() / 1000).toFixed(0)} s`.padStart(5);
  process.stdout.write(problem === undefined ? `${at}  ok      ${what}\n` : `${at}  FAILED  ${what}: ${problem}\n`);
};

const programs = await findPrograms();
const expected = Expected.parse(parse(await readFile(path.join(import.meta.dirname, 'expected-failures.yml'), 'utf8')));

await withSubject(openProduct, async (subject) => {
  for (const revision of REVISIONS)
    await Promise.all(
      GENERIC[revision].map((scenario) =>
        judge('product', revision, subject, ['--scenario', scenario, '--spec-version', revision], 1),
      ),
    );
});
await withSubject(openEverything, async (subject) => {
  for (const revision of REVISIONS)
    await judge('everything', revision, subject, ['--requirements', revision], LEAST_SCENARIOS[revision]);
  await inspectPrompts(programs, subject.url, count);
});
await inspectDoor(programs, count);
await tryCodex(programs, count);
await tryClaude(programs, count);
await programs.close();
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed\n`);
process.exitCode = counts.failed === 0 ? 0 : 1;

async function withSubject(open: () => Promise<Subject>, deed: (subject: Subject) => Promise<void>): Promise<void> {
  const subject = await open();
  const failedBefore = counts.failed;
  try {
    await deed(subject);
  } finally {
    await subject.close();
    if (counts.failed > failedBefore) process.stdout.write(`${subject.lines.join('\n')}\n`);
  }
}

/** Runs scenarios and holds each of their checks to what is expected of it. */
async function judge(name: string, revision: Revision, { url }: Subject, words: readonly string[], least: number): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sc-conformance-'));
  try {
    const run = await suite(programs, ['server', '--url', url, '--output-dir', folder, ...words]);
    const scenarios = await readdir(folder);
    if (scenarios.length < least) count(`${name} ${revision} ${words[1]}`, `only ${scenarios.length} of ${least} ran\n${run}`);
    for (const scenario of scenarios.toSorted()) {
      const checks = z.array(Check).parse(JSON.parse(await readFile(path.join(folder, scenario, 'checks.json'), 'utf8')));
      count(`${name} ${revision} ${nameOf(scenario)}`, problemOf(`${name} ${revision}`, nameOf(scenario), checks));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

function problemOf(group: string, scenario: string, checks: readonly z.infer<typeof Check>[]): string | undefined {
  const wanted = (expected[group] ?? []).filter((entry) => entry.startsWith(`${scenario}:`));
  const failing = checks.filter(({ status }) => status === 'FAILURE');
  const news = failing.filter(({ id }) => !wanted.includes(`${scenario}:${id}`));
  const gone = wanted.filter((entry) => !failing.some(({ id }) => entry === `${scenario}:${id}`));
  const lines = [
    ...news.map(({ id, errorMessage = '' }) => `${id} fails: ${errorMessage}`),
    ...gone.map((entry) => `${entry} does not fail any more; take it from the list`),
    ...(checks.length === 0 ? ['it made no check'] : []),
  ];
  return lines.length === 0 ? undefined : lines.join('\n        ');
}

/** `server-tools-list-2026-07-28T10-00-00-000Z` is the folder of `tools-list`. */
function nameOf(folder: string): string {
  return folder.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '');
}

async function suite({ node, conformance, env }: Programs, words: readonly string[]): Promise<string> {
  const { stdout, stderr } = await runProgram(node, [conformance, ...words], { env, cwd: PROJECT, timeoutMs: TIMEOUT_MS });
  return `${stdout}${stderr}`;
}
