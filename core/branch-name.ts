// What git takes for the name of a branch, so that another one is refused before anything is begun. Git itself has the last word.

/** Characters that no name of a branch has: control characters, the space, and those with a meaning in revisions and patterns. */
const FORBIDDEN = /[\u0000-\u0020\u007f~^:?*[\\]/;

/** True when git would have the name for a branch, by the rules of `git check-ref-format --branch`. */
export function isBranchName(name: string): boolean {
  if (name === '' || name === 'HEAD' || name.startsWith('-') || name.endsWith('.')) return false;
  if (FORBIDDEN.test(name) || name.includes('..') || name.includes('@{')) return false;
  return name.split('/').every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'));
}
