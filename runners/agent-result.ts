// The record at the end of a turn, in which the agent says how it went, as an AgentResult; and what an error in it was about.
import { z } from 'zod';
import type { AgentResult } from '../core/ending.ts';

/** So small that no sum of what one run tells is out of reach. */
export const figure = z.number().nonnegative().max(Number.MAX_SAFE_INTEGER);

/** The `result` record of Claude Code 2.1, as far as it is used. `is_error` decides: `subtype: success` with an error is what a refused key gives. */
export const ResultRecord = z.looseObject({
  type: z.literal('result'),
  is_error: z.boolean().default(false),
  subtype: z.string().optional().catch(undefined),
  result: z.string().optional().catch(undefined),
  errors: z.array(z.string()).optional().catch(undefined),
  api_error_status: z.number().nullish().catch(undefined),
  stop_reason: z.string().nullish().catch(undefined),
  total_cost_usd: figure.optional().catch(undefined),
  num_turns: figure.optional().catch(undefined),
  duration_ms: figure.optional().catch(undefined),
  usage: z
    .looseObject({
      input_tokens: figure.default(0),
      cache_creation_input_tokens: figure.default(0),
      cache_read_input_tokens: figure.default(0),
      output_tokens: figure.default(0),
    })
    .optional()
    .catch(undefined),
  permission_denials: z
    .array(z.looseObject({ tool_name: z.string() }))
    .default([])
    .catch([]),
  /** Where a JSON Schema was given and the turn kept to it. */
  structured_output: z.json().optional().catch(undefined),
});
export type ResultRecord = z.infer<typeof ResultRecord>;

type ErrorKind = NonNullable<AgentResult['errorKind']>;

/** Most characters of what an agent says at the end of a turn. */
export const TEXT_LENGTH = 20_000;
const LAST_SECOND = Date.parse('2100-01-01T00:00:00Z') / 1000;
const AUTH =
  /failed to authenticate|authentication[_ ](error|failed)|invalid (x-)?api[- ]key|not logged in|run \/login|oauth token|\b40[13]\b.*(unauthorized|forbidden)/i;
/** Claude Code that gave up tells no status, but "API Error: Repeated 529 Overloaded errors". */
const OVERLOADED = /overloaded_error|\bAPI Error: (?:Repeated )?(?:5\d\d\b|Overloaded)|internal server error/i;
const LIMIT = /(usage|session|weekly|rate|opus|sonnet|spend) limit|rate_limit|limit reached|too many requests/i;

/** What the agent reported. Input tokens count those from the cache too. */
export function agentResult(record: ResultRecord): AgentResult {
  const text = (record.result ?? record.errors?.join('\n') ?? '').slice(0, TEXT_LENGTH);
  const refused = record.stop_reason === 'refusal';
  const isError = record.is_error || refused;
  const errorKind = isError ? (refused ? 'refused' : errorKindOf(record, text)) : undefined;
  const resetsAt = errorKind === 'rate_limited' ? resetIn(text) : undefined;
  const { usage } = record;
  return {
    text,
    isError,
    ...(errorKind && { errorKind }),
    ...(resetsAt && { resetsAt }),
    ...(isError && isTransient(record, text) && { isTransient: true }),
    ...(record.subtype !== undefined && { subtype: record.subtype }),
    ...(record.total_cost_usd !== undefined && { costUsd: record.total_cost_usd }),
    ...(record.num_turns !== undefined && { turns: record.num_turns }),
    ...(record.duration_ms !== undefined && { durationMs: record.duration_ms }),
    ...(usage && {
      inputTokens: usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens,
      outputTokens: usage.output_tokens,
    }),
    ...(record.structured_output !== undefined && { data: record.structured_output }),
    ...(record.permission_denials.length > 0 && {
      permissionDenials: record.permission_denials.map((denial) => denial.tool_name),
    }),
  };
}

/** What the run reported after one more turn: the last one's word, with the work of all. The cost is told as a sum already. */
export function afterTurn(before: AgentResult | undefined, last: AgentResult): AgentResult {
  const sums = (['turns', 'durationMs', 'inputTokens', 'outputTokens'] as const).flatMap((name) => {
    const of = [before?.[name], last[name]].filter((value) => value !== undefined);
    return of.length === 0 ? [] : [[name, of.reduce((sum, value) => sum + value, 0)] as const];
  });
  return { ...(before?.costUsd !== undefined && { costUsd: before.costUsd }), ...last, ...Object.fromEntries(sums) };
}

/** A time in seconds since the epoch as ISO 8601; undefined for none in this century. */
export function isoOfSeconds(seconds: number): string | undefined {
  return seconds > 0 && seconds < LAST_SECOND ? new Date(seconds * 1000).toISOString() : undefined;
}

/** The model API failed for a moment: overloaded, or an error of its own. */
function isTransient({ api_error_status: status }: ResultRecord, text: string): boolean {
  return (typeof status === 'number' && status >= 500) || OVERLOADED.test(text);
}

function errorKindOf({ subtype, api_error_status: status }: ResultRecord, text: string): ErrorKind {
  if (subtype === 'error_max_budget_usd') return 'budget';
  if (status === 401 || status === 403) return 'auth';
  if (status === 429) return 'rate_limited';
  if (AUTH.test(text)) return 'auth';
  if (LIMIT.test(text)) return 'rate_limited';
  return 'agent_error';
}

/** Older versions write `Claude AI usage limit reached|1749924000`. */
function resetIn(text: string): string | undefined {
  const seconds = /\|(\d{10})\b/.exec(text)?.[1];
  return seconds === undefined ? undefined : isoOfSeconds(Number(seconds));
}
