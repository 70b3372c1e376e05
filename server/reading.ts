// Lists and reads resources for MCP, with failures that say what to do.
import { fail } from '../core/errors.ts';
import type { Orchestrator } from '../core/orchestrator.ts';
import { logUri, sessionUri } from '../core/views.ts';
import { type Resource, variablesOf } from '../resources/define.ts';
import { pageOf } from '../tools/page.ts';
import { inProject, teaching } from './teaching.ts';

const RESOURCES_PER_PAGE = 50;

export function isTemplate({ uriTemplate }: Resource): boolean {
  return uriTemplate.includes('{');
}

export function listResources(orchestrator: Orchestrator | undefined, readable: readonly Resource[], cursor: string | undefined) {
  const fixed = readable
    .filter((resource) => !isTemplate(resource))
    .map(({ name, title, description, uriTemplate, mimeType }) => ({ uri: uriTemplate, name, title, description, mimeType }));
  return teaching(() => {
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
  });
}

export function readResource(orchestrator: Orchestrator | undefined, readable: readonly Resource[], uri: string) {
  return teaching(
    () => {
      const project = inProject(orchestrator);
      for (const resource of readable) {
        const variables = variablesOf(resource.uriTemplate, uri);
        if (variables) return resource.read(variables, project);
      }
      return fail('RESOURCE_NOT_FOUND', `There is no resource "${uri}".`);
    },
    { uri },
  );
}
