// Lists, gives and completes prompts for MCP, with failures that say what to do.
import { type Completes, type Completion, completionsOf, placesOf } from '../core/completions.ts';
import { fail } from '../core/errors.ts';
import { type OfferArguments, offerNamed, offers, sayOffer } from '../core/offers.ts';
import type { Orchestrator } from '../core/orchestrator.ts';
import { variablesOf } from '../resources/define.ts';
import { RESOURCES } from '../resources/index.ts';
import { pageOf } from '../tools/page.ts';
import { inProject, teaching } from './teaching.ts';

const PROMPTS_PER_PAGE = 200;
const NOTHING: Completion = { values: [], total: 0 };

export function listPrompts(orchestrator: Orchestrator | undefined, cursor: string | undefined) {
  return teaching(async () => {
    const { rows, nextCursor } = pageOf(await offers(orchestrator), {
      cursor,
      limit: PROMPTS_PER_PAGE,
      keyOf: ({ name }) => name,
    });
    const prompts = rows.map((offer) => ({
      name: offer.name,
      title: offer.title,
      description: offer.description,
      arguments: offer.arguments.map(({ name, description, required }) => ({ name, description, required })),
    }));
    return { prompts, ...(nextCursor !== undefined && { nextCursor }) };
  });
}

export function getPrompt(orchestrator: Orchestrator | undefined, name: string, args: OfferArguments) {
  return teaching(async () => {
    const offer = offerNamed(await offers(orchestrator), name);
    const text = await sayOffer(offer, args, inProject(orchestrator));
    return { description: offer.description, messages: [{ role: 'user' as const, content: { type: 'text' as const, text } }] };
  });
}

/** What is being typed: an argument of a prompt, or a variable in the URI of a resource. */
export type Typed = (
  | { readonly type: 'ref/prompt'; readonly name: string }
  | { readonly type: 'ref/resource'; readonly uri: string }
) & {
  readonly argument: string;
  readonly value: string;
  /** What the other variables were filled in with. */
  readonly known?: Readonly<Record<string, string>> | undefined;
};

export function complete(orchestrator: Orchestrator | undefined, typed: Typed) {
  return teaching(async () => {
    const kind = typed.type === 'ref/prompt' ? await kindOfArgument(orchestrator, typed) : kindOfVariable(typed);
    const { values, total } = await completed(orchestrator, kind, typed);
    return { completion: { values: [...values], total, hasMore: total > values.length } };
  });
}

async function completed(
  orchestrator: Orchestrator | undefined,
  kind: Completes | 'place' | undefined,
  { value, known }: Typed,
): Promise<Completion> {
  if (!orchestrator || kind === undefined) return NOTHING;
  if (kind !== 'place') return completionsOf(orchestrator, kind, value);
  return known?.id === undefined ? NOTHING : placesOf(orchestrator, known.id, value);
}

async function kindOfArgument(
  orchestrator: Orchestrator | undefined,
  { name, argument }: { readonly name: string; readonly argument: string },
): Promise<Completes | undefined> {
  return offerNamed(await offers(orchestrator), name).arguments.find((one) => one.name === argument)?.completes;
}

function kindOfVariable({ uri, argument }: { readonly uri: string; readonly argument: string }): Completes | 'place' | undefined {
  const resource = RESOURCES.find(({ uriTemplate }) => uriTemplate === uri || variablesOf(uriTemplate, uri) !== undefined);
  if (!resource) return fail('RESOURCE_NOT_FOUND', `There is no resource "${uri}".`);
  if (!resource.uriTemplate.includes(`{${argument}}`)) return undefined;
  if (argument !== 'id') return 'place';
  return resource.uriTemplate.startsWith('task:') ? 'task' : 'session';
}
