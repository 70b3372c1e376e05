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
  /** The Markdown and JSON files of the folder in order of their names; none when there is no such folder. Fails with STORAGE_FAILED. */
  list(): Promise<readonly RuleFileEntry[]>;
  /**
   * The text of a file. Fails with RULE_INVALID when it is larger than `most` bytes, no text, or leads out of the workspace; with STORAGE_FAILED
   * where it may be well and could not be read this time.
   */
  read(name: string, most: number): Promise<string>;
  /** Puts the text in place of the file, or makes it. Fails with STORAGE_FAILED. */
  write(name: string, text: string): Promise<void>;
  /** Removes the file. Fails with STORAGE_FAILED. */
  remove(name: string): Promise<void>;
}
