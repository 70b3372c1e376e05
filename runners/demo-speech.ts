// How the built-in agent speaks: the stream-json records of Claude Code 2.1 on standard output.
import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';

export interface Speech {
  start(): void;
  say(text: string): void;
  /** Returns the id of the call. */
  useTool(name: string, input: unknown): string;
  toolAnswered(id: string, content: string, isError: boolean): void;
  retry(attempt: number, status: number): void;
  result(result: { readonly text: string; readonly isError: boolean; readonly costUsd: number; readonly subtype?: string }): void;
}

export function createSpeech(sessionId: string, startedAt: number): Speech {
  let turns = 0;
  const write = (record: object) => {
    const rest = Buffer.from(`${JSON.stringify({ ...record, session_id: sessionId, uuid: randomUUID() })}\n`);
    for (let at = 0; at < rest.length; ) at += writeSync(1, rest, at);
  };
  const assistant = (block: object) => {
    turns++;
    write({
      type: 'assistant',
      message: { id: `msg_${turns}`, type: 'message', role: 'assistant', model: 'demo', content: [block] },
    });
  };

  return {
    start: () =>
      write({
        type: 'system',
        subtype: 'init',
        cwd: process.cwd(),
        model: 'demo',
        tools: ['Bash', 'Write'],
        permissionMode: 'default',
      }),
    say: (text) => assistant({ type: 'text', text }),
    useTool(name, input) {
      const id = `toolu_${randomUUID().slice(0, 12)}`;
      assistant({ type: 'tool_use', id, name, input });
      return id;
    },
    toolAnswered(id, content, isError) {
      const block = { type: 'tool_result', tool_use_id: id, content, is_error: isError };
      write({ type: 'user', message: { role: 'user', content: [block] }, timestamp: new Date().toISOString() });
    },
    retry: (attempt, status) =>
      write({
        type: 'system',
        subtype: 'api_retry',
        attempt,
        max_retries: 10,
        retry_delay_ms: 500,
        error_status: status,
        error: 'api_error',
      }),
    result: ({ text, isError, costUsd, subtype = 'success' }) =>
      write({
        type: 'result',
        subtype,
        is_error: isError,
        result: text,
        num_turns: turns,
        duration_ms: Date.now() - startedAt,
        total_cost_usd: costUsd,
        usage: { input_tokens: 10 * turns, output_tokens: 5 * turns },
        permission_denials: [],
      }),
  };
}
