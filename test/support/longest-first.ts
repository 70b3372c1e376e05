// The order in which test files are run: those that take long go first, so that no worker is left alone with one at the end. Where a run before
// has measured the files, they go by that; a fresh clone knows only what is named here.
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take half a minute and more, the longest first. */
const LONG = [
  'load/crash',
  'doors/storage',
  'doors/attacks',
  'server/door',
  'doors/interactive',
  'doors/permissions',
  'doors/command-line',
  'doors/tasks',
  'doors/asking',
  'runners/tell-claude',
  'doors/crash',
  'doors/serve',
  'server/hub',
  'doors/delegation-http',
  'support/stub-model',
  'doors/fuzz',
  'client/package',
  'doors/forms',
  'runners/interactive-hands',
  'server/lock-race',
  'doors/sharing',
  'doors/rules',
  'server/http-limits',
  'runners/tell',
  'client/client',
  'runners/worktrees',
];

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const place = ({ moduleId }: TestSpecification) => {
      const at = LONG.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return at < 0 ? LONG.length : at;
    };
    return sorted.sort((a, b) => place(a) - place(b));
  }
}
