// The JSON schema of a rule file's front matter, for editors: our keys, and those of channelcoder's prompt files as its own schema has them.
import { FrontmatterSchema } from 'channelcoder';
import { z } from 'zod';
// it reads schemas of zod 3, which channelcoder's is; of one of zod 4 it would make nothing
import { zodToJsonSchema } from 'zod-to-json-schema';
import { RuleFields } from '../prompts/rule-schema.ts';

const Properties = z.looseObject({ properties: z.record(z.string(), z.looseObject({})) });

/** Keys of channelcoder's prompt files -> their schemas. */
export function channelcoderKeys(): Readonly<Record<string, object>> {
  // without its types: those of two versions of zod in one are more than the compiler takes
  const make: unknown = zodToJsonSchema;
  const made: unknown = typeof make === 'function' ? Reflect.apply(make, undefined, [FrontmatterSchema]) : undefined;
  return Properties.parse(made).properties;
}

/** The schema of the whole front matter. */
export function promptFileSchema(): object {
  const own = Properties.parse(z.toJSONSchema(RuleFields, { io: 'input' }));
  const theirs = Object.entries(channelcoderKeys()).map(([key, schema]) => [
    key,
    { ...schema, ...described(own.properties[key]) },
  ]);
  return { ...own, title: 'Front matter of a prompt rule', properties: { ...own.properties, ...Object.fromEntries(theirs) } };
}

function described(schema: Readonly<Record<string, unknown>> | undefined): object {
  return schema?.description === undefined ? {} : { description: schema.description };
}
