// One runner for sessions of both types: each run goes to the runner of its session's type.
import type { Runner } from '../core/run-ports.ts';
import type { SessionType } from '../core/session.ts';

/** `typeOf` tells the type of a session that is there. */
export function createRunnerByType(
  runners: Readonly<Record<SessionType, Runner>>,
  typeOf: (sessionId: string) => SessionType,
): Runner {
  return {
    locate: (agent, env, type = 'autonomous') => runners[type].locate(agent, env, type),
    start: (spec) => runners[spec.type].start(spec),
    adopt: (sessionId, run) => runners[typeOf(sessionId)].adopt(sessionId, run),
    end: (sessionId, run) => runners[typeOf(sessionId)].end(sessionId, run),
  };
}
