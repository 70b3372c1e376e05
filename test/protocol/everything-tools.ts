// Tools of the suite that need nothing but a call.
import { setTimeout as sleep } from 'node:timers/promises';
import { MissingRequiredClientCapabilityError, type ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Everything, FixtureTool } from './everything.ts';
import { MEDIA } from './everything-media.ts';

const text = (words: string) => ({ content: [{ type: 'text', text: words }] });
const image = { type: 'image', data: MEDIA.png, mimeType: 'image/png' };
const Prompt = z.looseObject({ prompt: z.string() });
const Message = z.looseObject({ message: z.string() });
const Greeting = z.looseObject({ name: z.string().default('nobody') });

const strings = (...names: string[]) => ({
  type: 'object' as const,
  properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
  required: names,
});

export function plainTools({ changed }: Everything): readonly FixtureTool[] {
  const trigger = (list: 'tools' | 'prompts') => {
    changed(list);
    return text(`The ${list} changed.`);
  };
  const elicit = async (context: ServerContext, message: string, properties: object, required?: readonly string[]) => {
    const requestedSchema = { type: 'object', properties, ...(required && { required: [...required] }) } as never;
    return context.mcpReq.send({ method: 'elicitation/create', params: { mode: 'form', message, requestedSchema } });
  };
  return [
    { name: 'greet', inputSchema: strings('name'), call: async (args) => text(`Hello, ${Greeting.parse(args).name}!`) },
    { name: 'test_simple_text', call: async () => text('This is a simple text response for testing.') },
    { name: 'test_image_content', call: async () => ({ content: [image] }) },
    { name: 'test_audio_content', call: async () => ({ content: [{ type: 'audio', data: MEDIA.wav, mimeType: 'audio/wav' }] }) },
    {
      name: 'test_embedded_resource',
      call: async () => ({
        content: [
          {
            type: 'resource',
            resource: { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'This is an embedded resource content.' },
          },
        ],
      }),
    },
    {
      name: 'test_multiple_content_types',
      call: async () => ({
        content: [
          { type: 'text', text: 'Multiple content types test:' },
          image,
          {
            type: 'resource',
            resource: {
              uri: 'test://mixed-content-resource',
              mimeType: 'application/json',
              text: JSON.stringify({ test: 'data', value: 123 }),
            },
          },
        ],
      }),
    },
    {
      name: 'test_error_handling',
      call: async () => ({ ...text('This tool intentionally returns an error for testing'), isError: true }),
    },
    {
      name: 'test_tool_with_logging',
      async call(_args, { mcpReq }) {
        for (const line of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
          await mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data: line } });
          await sleep(50);
        }
        return text('It was logged.');
      },
    },
    {
      name: 'test_logging_tool',
      call: async (_args, { mcpReq }) => mcpReq.log('info', 'Logged.').then(() => text('It may have been logged.')),
    },
    {
      name: 'test_tool_with_progress',
      async call(_args, { mcpReq }) {
        const progressToken = mcpReq._meta?.progressToken;
        for (const progress of [0, 50, 100]) {
          if (progressToken !== undefined)
            await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
          await sleep(50);
        }
        return text('It went on.');
      },
    },
    {
      name: 'test_sampling',
      inputSchema: strings('prompt'),
      async call(args, { mcpReq }) {
        const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: Prompt.parse(args).prompt } }];
        const { content } = await mcpReq.send({ method: 'sampling/createMessage', params: { messages, maxTokens: 100 } });
        return text(`LLM response: ${JSON.stringify(content)}`);
      },
    },
    {
      name: 'test_elicitation',
      inputSchema: strings('message'),
      async call(args, context) {
        const properties = {
          username: { type: 'string', description: "User's response" },
          email: { type: 'string', description: "User's email address" },
        };
        const { action, content } = await elicit(context, Message.parse(args).message, properties, ['username', 'email']);
        return text(`User response: action: ${action}, content: ${JSON.stringify(content)}`);
      },
    },
    {
      name: 'test_elicitation_sep1034_defaults',
      async call(_args, context) {
        const { action, content } = await elicit(context, 'Defaults?', {
          name: { type: 'string', default: 'John Doe' },
          age: { type: 'integer', default: 30 },
          score: { type: 'number', default: 95.5 },
          status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
          verified: { type: 'boolean', default: true },
        });
        return text(`Elicitation completed: action=${action}, content=${JSON.stringify(content)}`);
      },
    },
    {
      name: 'test_elicitation_sep1330_enums',
      async call(_args, context) {
        const plain = ['option1', 'option2', 'option3'];
        const titled = ['First', 'Second', 'Third'].map((word, at) => ({ const: `value${at + 1}`, title: `${word} Option` }));
        const { action, content } = await elicit(context, 'Enums?', {
          untitledSingle: { type: 'string', enum: plain },
          titledSingle: { type: 'string', oneOf: titled },
          legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'] },
          untitledMulti: { type: 'array', items: { type: 'string', enum: plain } },
          titledMulti: { type: 'array', items: { anyOf: titled } },
        });
        return text(`Elicitation completed: action=${action}, content=${JSON.stringify(content)}`);
      },
    },
    {
      name: 'test_missing_capability',
      async call() {
        throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } });
      },
    },
    {
      name: 'test_reconnection',
      async call(_args, context) {
        context.http?.closeSSE?.();
        await sleep(100);
        return text('Reconnection test completed successfully.');
      },
    },
    { name: 'test_trigger_tool_change', call: async () => trigger('tools') },
    { name: 'test_trigger_prompt_change', call: async () => trigger('prompts') },
    {
      name: 'test_custom_header',
      inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } },
      call: async () => text('Header and argument agree.'),
    },
    { name: 'json_schema_2020_12_tool', inputSchema: SCHEMA_2020_12, call: async () => text('Fine.') },
  ];
}

const SCHEMA_2020_12 = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: { $anchor: 'addressDef', type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // the keyword is of the schema; nothing here is awaited
  ['then' as string]: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
} as const;
