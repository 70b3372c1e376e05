// Lists and reads resources for MCP, with failures that say what to do.
import { ProtocolError } from '@modelcontextprotocol/server';
import { errorView, fail, ScopecraftError } from '../core/errors.ts';
import type { Orchestrator } from '../core/orchestrator.ts';
import { logUri, sessionUri } from '../core/views.ts';
import { type Resource, variablesOf } from '../resources/define.ts';
import { pageOf } from '../tools/page.ts';

const RESOURCES_PER_PAGE = 50;
/** JSON-RPC: the parameters do not fit. */
export const INVALID_PARAMS = -32602;

export function isTemplate({ uriTemplate }: Resource): boolean {
  return uriTemplate.includes('{');
}

export function listResources(orchestrator: Orchestrator | undefined, readable: readonly Resource[], cursor: string | undefined) {
  const fixed = readable
    .filter((resource) => !isTemplate(resource))
    .map(({ name, title, description, uriTemplate, mimeType }) => ({ uri: uriTemplate, name, title, description, mimeType }));
  try {
    const { rows, nextCursor } = pageOf(orchestrator?.list({}) ?? [], {
      cursor,
      limit: RESOURCES_PER_PAGE,
      keyOf: (session) => session.createdSeq,
      falls: true,
    });
    const ofSessions = rows.flatMap(({ id, status }) => [
      { uri: sessionUri(id), name: `session ${id}`, description: `Session ${id} (${status})`, mimeType: 'application/json' },
      { uri: logUri(id), name: `log of ${id}`, description: `Log of session ${id}`, mimeType: 'text/plain' },
    ]);
    return {
      resources: cursor === undefined ? [...fixed, ...ofSessions] : ofSessions,
      ...(nextCursor !== undefined && { nextCursor }),
    };
  } catch (error) {
    throw error instanceof ScopecraftError ? new ProtocolError(INVALID_PARAMS, error.message) : error;
  }
}

export async function readResource(orchestrator: Orchestrator | undefined, readable: readonly Resource[], uri: string) {
  try {
    if (!orchestrator) fail('WORKSPACE_MISSING', 'This server was started where there is no project.');
    for (const resource of readable) {
      const variables = variablesOf(resource.uriTemplate, uri);
      if (variables) return await resource.read(variables, orchestrator);
    }
    return fail('RESOURCE_NOT_FOUND', `There is no resource "${uri}".`);
  } catch (error) {
    if (!(error instanceof ScopecraftError)) throw error;
    const { code, message, hint } = errorView(error);
    throw new ProtocolError(INVALID_PARAMS, message, { uri, code, hint });
  }
}
