// Where an interactive session has its terminal: the name of its tmux session.

/** `s-` and the id in lower case, with `-` for what tmux would take for something else. */
export function terminalName(sessionId: string): string {
  return `s-${sessionId.toLowerCase().replace(/[^a-z0-9-]/g, '-')}`;
}
