// Where rule files lie. The implementation is in storage/.

export interface RuleFileEntry {
  /** Name in the folder, such as `bug-fix.md`. */
  readonly name: string;
  /** Another one when the file changed. */
  readonly stamp: string;
}

export interface RuleFiles {
  /** The folder as a path below the workspace. */
  readonly folder: string;
  /** The Markdown files of the folder in order of their names; none when there is no such folder. */
  list(): Promise<readonly RuleFileEntry[]>;
  /** The text of a file. Fails with RULE_INVALID when it is larger than `most` bytes, no text, or leads out of the workspace. */
  read(name: string, most: number): Promise<string>;
  /** Puts the text in place of the file, or makes it. Fails with STORAGE_FAILED. */
  write(name: string, text: string): Promise<void>;
  /** Removes the file. */
  remove(name: string): Promise<void>;
}
