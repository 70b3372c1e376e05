// The table of resources, made from the resources themselves.
import { RESOURCES } from '../resources/index.ts';
import { code, tableOf } from './markdown.ts';

/** One row a resource. */
export function resourceTable(): string {
  return tableOf(
    ['resource', 'type', 'what it is'],
    RESOURCES.map(({ uriTemplate, mimeType, description }) => [code(uriTemplate), code(mimeType), description]),
  );
}
