// Calls a tool by its name and makes what MCP answers of it: a failure becomes an answer that teaches. Knows no connection and no peer.
import { randomBytes } from 'node:crypto';
import { ProtocolError } from '@modelcontextprotocol/server';
import { errorView, nearest, ScopecraftError } from '../core/errors.ts';
import type { Orchestrator } from '../core/orchestrator.ts';
import type { ToolContext } from '../tools/define.ts';
import { TOOLS, toolNamed } from '../tools/index.ts';
import { INVALID_PARAMS, inProject } from './teaching.ts';

/** What a call needs of the server it comes through. */
export interface ToolCallParts {
  readonly orchestrator: Orchestrator | undefined;
  /** Told of unexpected failures, with the id that the caller sees. */
  readonly log: (line: string) => void;
  /** Takes secrets out of a failure before it is told. */
  readonly mask?: <Value>(value: Value) => Value;
}

/** The answer of the tool; a failure of it is an answer too. Fails where there is no such tool. */
export async function callTool(
  { orchestrator, log, mask = (value) => value }: ToolCallParts,
  params: { name: string; arguments?: unknown },
  context: Omit<ToolContext, 'orchestrator'>,
) {
  const found = toolNamed(params.name);
  if (!found) {
    const names = TOOLS.map((tool) => tool.name);
    const near = nearest(params.name, names);
    throw new ProtocolError(
      INVALID_PARAMS,
      `Unknown tool "${params.name}".${near ? ` Did you mean "${near}"?` : ` Tools are: ${names.join(', ')}.`}`,
    );
  }
  try {
    const args = typeof params.arguments === 'object' ? { ...params.arguments, ...found.fixed } : params.arguments;
    const output = await found.tool.call(args, { ...context, orchestrator: inProject(orchestrator) });
    const content = [{ type: 'text' as const, text: JSON.stringify(output) }];
    return { structuredContent: { ...output }, content };
  } catch (error) {
    const view = mask(errorView(error instanceof ScopecraftError ? error : unexpected(error, log)));
    // no structuredContent: clients check that against the schema of a good answer
    return { isError: true, content: [{ type: 'text' as const, text: JSON.stringify(view) }] };
  }
}

/** A failure nobody foresaw: the caller gets an id, the log gets the stack. */
function unexpected(error: unknown, log: (line: string) => void): ScopecraftError {
  const id = randomBytes(4).toString('hex');
  log(`internal error ${id}: ${error instanceof Error ? error.stack : String(error)}`);
  return new ScopecraftError('INTERNAL', `Something went wrong inside the server (${id}).`, { id });
}
