// What could be said to a session now, short enough for an answer about it.
import type { Orchestrator } from '../core/orchestrator.ts';
import type { Session } from '../core/session.ts';
import type { SessionView } from '../core/views.ts';

const MOST_TEXT = 300;

/** The field `suggestions` of a session that stands idle, fails repeatedly or is near its budget; nothing for others. */
export async function suggested(orchestrator: Orchestrator, session: Session): Promise<Pick<SessionView, 'suggestions'>> {
  const found = await orchestrator.rules.suggestions(session);
  if (found.length === 0) return {};
  return {
    suggestions: found.map(({ ruleId, name, prompt }) => ({
      rule: ruleId,
      name,
      prompt:
        prompt.length > MOST_TEXT ? `${prompt.slice(0, MOST_TEXT)}… (whole with session_prompt { "rule": "${ruleId}" })` : prompt,
    })),
  };
}
