// How the built-in agent speaks: the stream-json records of Claude Code 2.1 on standard output.
import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';

export interface Speech {
  /** A turn begins. */
  start(): void;
  /** Repeats what it was told, as a receipt. */
  replay(told: { readonly text: string; readonly uuid: string | undefined }): void;
  /** What it was doing was broken off. */
  interrupted(): void;
  /** A request on standard input was taken. */
  acknowledge(requestId: string): void;
  /** Asks whether it may use a tool. */
  ask(requestId: string, use: { readonly name: string; readonly input: unknown; readonly id: string }): void;
  /** It does not ask that any more. */
  withdraw(requestId: string): void;
  say(text: string): void;
  /** Returns the id of the call. */
  useTool(name: string, input: unknown): string;
  toolAnswered(id: string, content: string, isError: boolean): void;
  retry(attempt: number, status: number): void;
  /** A turn ends. `costUsd` is the sum of all turns. */
  result(result: {
    readonly text: string;
    readonly isError: boolean;
    readonly costUsd: number;
    readonly subtype?: string;
    readonly data?: unknown;
  }): void;
}

export function createSpeech(sessionId: string): Speech {
  let turns = 0;
  let startedAt = performance.now();
  const write = (record: object) => {
    const rest = Buffer.from(`${JSON.stringify({ uuid: randomUUID(), ...record, session_id: sessionId })}\n`);
    for (let at = 0; at < rest.length; ) at += writeSync(1, rest, at);
  };
  const assistant = (block: object) => {
    turns++;
    write({
      type: 'assistant',
      message: { id: `msg_${turns}`, type: 'message', role: 'assistant', model: 'demo', content: [block] },
    });
  };

  const user = (block: object, more: object = {}) =>
    write({ type: 'user', message: { role: 'user', content: [block] }, timestamp: new Date().toISOString(), ...more });

  return {
    start() {
      turns = 0;
      startedAt = performance.now();
      write({
        type: 'system',
        subtype: 'init',
        cwd: process.cwd(),
        model: 'demo',
        tools: ['Bash', 'Write'],
        permissionMode: 'default',
      });
    },
    replay: ({ text, uuid }) => user({ type: 'text', text }, { isReplay: true, ...(uuid !== undefined && { uuid }) }),
    interrupted: () => user({ type: 'text', text: '[Request interrupted by user]' }),
    acknowledge: (requestId) => write({ type: 'control_response', response: { subtype: 'success', request_id: requestId } }),
    ask: (requestId, { name, input, id }) =>
      write({
        type: 'control_request',
        request_id: requestId,
        request: { subtype: 'can_use_tool', tool_name: name, input, tool_use_id: id },
      }),
    withdraw: (requestId) => write({ type: 'control_cancel_request', request_id: requestId }),
    say: (text) => assistant({ type: 'text', text }),
    useTool(name, input) {
      const id = `toolu_${randomUUID().slice(0, 12)}`;
      assistant({ type: 'tool_use', id, name, input });
      return id;
    },
    toolAnswered: (id, content, isError) => user({ type: 'tool_result', tool_use_id: id, content, is_error: isError }),
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
    result: ({ text, isError, costUsd, subtype = 'success', data }) =>
      write({
        type: 'result',
        subtype,
        is_error: isError,
        result: text,
        num_turns: turns,
        duration_ms: Math.round(performance.now() - startedAt),
        total_cost_usd: costUsd,
        usage: { input_tokens: 10 * turns, output_tokens: 5 * turns },
        permission_denials: [],
        ...(data !== undefined && { structured_output: data }),
      }),
  };
}
