// Opens worktrees as a hub of its own does, at once, and ends; may be killed meanwhile: <workspace> <state folder> <settings as JSON> <session id>…
import { Config } from '../../core/config.ts';
import { createGit } from '../../runners/git.ts';
import { createWorktrees } from '../../runners/worktrees.ts';

const [, , workspace = '', stateDir = '', given = '{}', ...ids] = process.argv;
const settings = Config.parse({ worktrees: JSON.parse(given) }).worktrees;
const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', TMPDIR: process.env.TMPDIR ?? '' };
const worktrees = createWorktrees({
  workspace,
  stateDir,
  git: createGit(env),
  settings: () => settings,
  environmentOf: async () => env,
});
await Promise.all(ids.map((sessionId) => worktrees.open({ sessionId })));
