// What the rules that deny become for Claude Code. That it holds to them is seen in test/doors/permissions.test.ts.
import { expect, it } from 'vitest';
import { denyArguments } from '../../runners/claude-deny.ts';

const rulesFor = (...deny: string[]) => denyArguments(deny).map((argument) => argument.replace('--disallowedTools=', ''));

it.each([
  ['Write', ['Write']],
  ['mcp__github__*', ['mcp__github__*']],
  ['Bash(touch *)', ['Bash(touch *)']],
  ['Bash(npm test:*)', ['Bash(npm test*)']],
  ['Bash(git push --force:*)', ['Bash(git push --force*)']],
  ['Read(/home/**.pem)', ['Read(//home/*.pem)', 'Read(//home/*/**/*.pem)']],
  [
    'Read(/h/*/.ssh/id_*.pub)',
    [
      'Read(//h/*/.ssh/id_*.pub)',
      'Read(//h/*/.ssh/id_*/**/*.pub)',
      'Read(//h/*/**/*/.ssh/id_*.pub)',
      'Read(//h/*/**/*/.ssh/id_*/**/*.pub)',
    ],
  ],
  ['Bash(echo a, b)', ['Bash(echo a, b)']],
  ['Bash(echo "(x)":*)', ['Bash(echo "(x*"*)']],
  ['B*(touch *)', ['Bash(touch *)']],
  ['Read(/etc/*)', ['Read(//etc/*)']],
  ['Write(src/[id]/*)', ['Edit(src/\\[id\\]/*)']],
  ['Write(/w/a (1)/*)', ['Edit(//w/a (1?/*)']],
  ['Write(/w/*.ts)', ['Edit(//w/*.ts)', 'Edit(//w/*/**/*.ts)']],
  ['Edit(*.env)', ['Edit(//**/*.env)', 'Edit(//**/*/**/*.env)']],
  ['WebFetch(https://example.com/*)', []],
  ['mcp__sum__add({"a":1,*)', []],
  ['Bash(torn', []],
  ['two words', []],
  ['', []],
])('%s becomes %j', (rule, rules) => {
  expect(rulesFor(rule)).toEqual(rules);
});

it('each rule is an argument of its own behind its flag, and the same one is there once', () => {
  expect(denyArguments(['Write(a)', 'Edit(a)', '--dangerously-skip-permissions'])).toEqual([
    '--disallowedTools=Edit(a)',
    '--disallowedTools=--dangerously-skip-permissions',
  ]);
  expect(denyArguments()).toEqual([]);
});
