// Calls a tool as a door does, on a core in memory.
import type { Tool } from '../../tools/define.ts';
import { caller, type Engine } from './engine.ts';

/** The answer of the tool. Fails as the tool does. */
export function callTool(
  { orchestrator }: Engine,
  tool: Pick<Tool, 'call'>,
  args: object,
): Promise<Readonly<Record<string, unknown>>> {
  const { signal } = new AbortController();
  return tool.call(args, { orchestrator, caller, callKey: undefined, signal, progress: () => {} });
}
