// What MCP tells of a failure where no tool can tell it in its answer: the sentence, its code, and what to do.
import { ProtocolError } from '@modelcontextprotocol/server';
import { errorView, fail, ScopecraftError } from '../core/errors.ts';
import type { Orchestrator } from '../core/orchestrator.ts';

/** JSON-RPC: the parameters do not fit. */
export const INVALID_PARAMS = -32602;

/** What the deed gives; `about` goes into the error beside code and hint. */
export async function teaching<Answer>(deed: () => Answer | Promise<Answer>, about: object = {}): Promise<Answer> {
  try {
    return await deed();
  } catch (error) {
    if (!(error instanceof ScopecraftError)) throw error;
    const { code, message, hint } = errorView(error);
    throw new ProtocolError(INVALID_PARAMS, message, { ...about, code, hint });
  }
}

/** Fails with WORKSPACE_MISSING where there is none. */
export function inProject(orchestrator: Orchestrator | undefined): Orchestrator {
  return orchestrator ?? fail('WORKSPACE_MISSING', 'This server was started where there is no project.');
}
