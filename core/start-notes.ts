// What a caller should know of a start that went well.
import type { AgentEntry } from './agent.ts';
import type { StartParts, StartRequest } from './start.ts';

/** Notes about the agent's environment, and about its prompt. */
export function startNotes(
  { mask }: Pick<StartParts, 'mask'>,
  { prompt }: Pick<StartRequest, 'prompt'>,
  agent: Pick<AgentEntry, 'env'>,
  env: Readonly<Record<string, string>>,
): readonly string[] {
  const missing = agent.env.filter((name) => !(name in env));
  const unset =
    missing.length > 0 ? [`Not set where this call came from, so the agent does not get it: ${missing.join(', ')}.`] : [];
  const isMasked = prompt !== undefined && mask !== undefined && mask(prompt) !== prompt;
  const masked = isMasked
    ? ["A secret in the prompt was masked, for the agent too: give it by a variable that the agent's entry names."]
    : [];
  return [...unset, ...masked];
}
