// How a run ended: decided from its exit code, the agent's own result record and whether a stop was asked, together.

import type { AgentResult, EndCause } from './ending.ts';
import type { Exit } from './run-ports.ts';

export interface Outcome {
  readonly name: 'session.completed' | 'session.failed' | 'session.cancelled' | 'session.lost';
  readonly cause: EndCause;
}

export interface Ending {
  readonly exit: Exit;
  readonly result: AgentResult | undefined;
  /** Why it was asked to stop, if it was. */
  readonly stop: EndCause | undefined;
  /** True when this kind of agent reports a result; then an end without one is an error. */
  readonly reports: boolean;
  /** The last of its standard error. */
  readonly stderr: string;
}

const SIGNALS: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  6: 'SIGABRT',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  15: 'SIGTERM',
};

export function outcomeOf({ exit, result, stop, reports, stderr }: Ending): Outcome {
  if (stop) return { name: nameOf(stop), cause: stop };
  if (exit === 'lost')
    return { name: 'session.lost', cause: { kind: 'lost', reason: 'its process is gone and its exit was not seen' } };
  const { code } = exit;
  const reason = stderr.trim() ? { reason: lastLine(stderr) } : {};
  if (result?.isError)
    return {
      name: 'session.failed',
      cause: { kind: result.errorKind ?? 'agent_error', exitCode: code, ...resets(result), ...said(result) },
    };
  // a process that was killed after it had delivered its result has done its work
  if (result && (code === 0 || code > 128)) return { name: 'session.completed', cause: { kind: 'done' } };
  if (code > 128)
    return {
      name: 'session.failed',
      cause: { kind: 'killed', signal: SIGNALS[code - 128] ?? `signal ${code - 128}`, exitCode: code },
    };
  if (code === 126 || code === 127) return { name: 'session.failed', cause: { kind: 'spawn_failed', exitCode: code, ...reason } };
  if (code !== 0) return { name: 'session.failed', cause: { kind: 'agent_error', exitCode: code, ...reason } };
  if (reports)
    return { name: 'session.failed', cause: { kind: 'agent_error', exitCode: 0, reason: 'it ended without a result' } };
  return { name: 'session.completed', cause: { kind: 'done' } };
}

function nameOf({ kind }: EndCause): Outcome['name'] {
  if (kind === 'done') return 'session.completed';
  return kind === 'cancelled' ? 'session.cancelled' : 'session.failed';
}

function resets({ resetsAt }: AgentResult) {
  return resetsAt === undefined ? {} : { resetsAt };
}

function said({ text }: AgentResult) {
  return text ? { reason: text.slice(0, 500) } : {};
}

function lastLine(text: string): string {
  return (text.trim().split('\n').at(-1) ?? '').slice(0, 500);
}
