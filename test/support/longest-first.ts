// The order in which test files are run: those that take long go first, so that no worker is left alone with one at the end. Where a run before
// has measured the files, they go by that; a fresh clone knows only what is named here.
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take half a minute and more, the longest first. */
const LONG = [
  'load/crash',
  'client/package',
  'doors/fuzz',
  'doors/attacks',
  'doors/storage',
  'doors/tasks',
  'doors/talk',
  'server/lock-race',
  'server/door',
  'doors/interactive',
  'doors/delegation',
  'doors/claude',
  'runners/tell-claude',
  'server/hub',
  'runners/worktrees',
  'client/client',
  'core/learning',
  'doors/sharing',
  'runners/interactive-hands',
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
