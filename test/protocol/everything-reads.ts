// Resources and prompts of the suite.
import { MEDIA } from './everything-media.ts';

export const RESOURCES = [
  { uri: 'test://static-text', name: 'static text', description: 'A text.', mimeType: 'text/plain' },
  { uri: 'test://static-binary', name: 'static binary', description: 'A picture.', mimeType: 'image/png' },
  { uri: 'test://watched-resource', name: 'watched', description: 'Something to subscribe to.', mimeType: 'text/plain' },
] as const;

export const TEMPLATES = [
  { uriTemplate: 'test://template/{id}/data', name: 'template', description: 'Data by id.', mimeType: 'application/json' },
] as const;

export function resourceOf(uri: string) {
  const [, id] = /^test:\/\/template\/([^/]+)\/data$/.exec(uri) ?? [];
  if (id !== undefined)
    return { uri, mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) };
  if (uri === 'test://static-text')
    return { uri, mimeType: 'text/plain', text: 'This is the content of the static text resource.' };
  if (uri === 'test://static-binary') return { uri, mimeType: 'image/png', blob: MEDIA.png };
  return uri === 'test://watched-resource' ? { uri, mimeType: 'text/plain', text: 'Watched.' } : undefined;
}

const argument = (name: string) => ({ name, description: `The argument ${name}.`, required: true });
export const PROMPTS = [
  { name: 'test_simple_prompt', description: 'A prompt.' },
  { name: 'test_prompt_with_arguments', description: 'One with arguments.', arguments: [argument('arg1'), argument('arg2')] },
  { name: 'test_prompt_with_embedded_resource', description: 'One with a resource.', arguments: [argument('resourceUri')] },
  { name: 'test_prompt_with_image', description: 'One with a picture.' },
  { name: 'test_input_required_result_prompt', description: 'One that asks.' },
];

export function promptOf(name: string, { arg1 = '', arg2 = '', resourceUri = '' }: Readonly<Record<string, string>>) {
  const user = (...contents: object[]) => ({ messages: contents.map((content) => ({ role: 'user', content })) });
  const text = (words: string) => ({ type: 'text', text: words });
  switch (name) {
    case 'test_simple_prompt':
      return user(text('This is a simple prompt for testing.'));
    case 'test_prompt_with_arguments':
      return user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`));
    case 'test_prompt_with_embedded_resource': {
      const resource = { uri: resourceUri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' };
      return user({ type: 'resource', resource }, text('Please process the embedded resource above.'));
    }
    case 'test_prompt_with_image':
      return user({ type: 'image', data: MEDIA.png, mimeType: 'image/png' }, text('Please analyze the image above.'));
    default:
      return undefined;
  }
}
