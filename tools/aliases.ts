// Old names, kept callable: each is a tool of today with some arguments fixed.

export interface Alias {
  readonly name: string;
  /** Name of the tool that does the work. */
  readonly tool: string;
  readonly fixed: Readonly<Record<string, unknown>>;
}

export const ALIASES: readonly Alias[] = [
  { name: 'autonomous_start', tool: 'session_start', fixed: { type: 'autonomous' } },
  { name: 'autonomous_list', tool: 'session_list', fixed: { type: 'autonomous' } },
  { name: 'autonomous_cancel', tool: 'session_cancel', fixed: {} },
  { name: 'autonomous_logs', tool: 'session_logs', fixed: {} },
];
