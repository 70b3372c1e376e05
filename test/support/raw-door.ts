// A door spoken to in plain JSON-RPC, so that a test sees the answers as they come and no SDK stands between.
import { spawn } from 'node:child_process';
import { z } from 'zod';
import { lineSplitter } from '../../server/lines.ts';
import { DOOR, type Environment } from './project.ts';

export interface RawDoor {
  /** What `initialize` was answered with, in an older revision. */
  readonly opening: Readonly<Record<string, unknown>> | undefined;
  /** The `result` of a request. Rejects with the error's text. */
  ask(
    method: string,
    params?: Readonly<Record<string, unknown>>,
    meta?: Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, unknown>>>;
  close(): Promise<void>;
}

const MODERN = '2026-07-28';
const CLIENT = { name: 'scopecraft-test', version: '1.0.0' };
const MOST_BYTES = 16 * 1024 * 1024;
const Answer = z.looseObject({
  id: z.number().optional(),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.unknown().optional(),
});

/** A door of its own, greeted in the way of that protocol revision. */
export async function openRawDoor(
  revision: string,
  { env, cwd, capabilities = {} }: { readonly env: Environment; readonly cwd: string; readonly capabilities?: object },
): Promise<RawDoor> {
  const child = spawn(process.execPath, [DOOR], { env, cwd, stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = new Map<number, (answer: z.infer<typeof Answer>) => void>();
  const take = (line: string) => {
    const answer = Answer.parse(JSON.parse(line));
    if (answer.id !== undefined) waiting.get(answer.id)?.(answer);
  };
  child.stdout.on(
    'data',
    lineSplitter(MOST_BYTES, take, () => {}),
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientInfo': CLIENT,
    'io.modelcontextprotocol/clientCapabilities': capabilities,
  };
  let ids = 0;
  const ask: RawDoor['ask'] = async (method, params = {}, more = {}) => {
    const id = ++ids;
    const answer = new Promise<z.infer<typeof Answer>>((resolve) => waiting.set(id, resolve));
    send({ id, method, params: revision === MODERN ? { ...params, _meta: { ...meta, ...more } } : params });
    const { result, error } = await answer;
    if (result === undefined) throw new Error(JSON.stringify(error));
    return result;
  };
  const opening =
    revision === MODERN ? undefined : await ask('initialize', { protocolVersion: revision, capabilities, clientInfo: CLIENT });
  if (opening) send({ method: 'notifications/initialized' });
  return {
    opening,
    ask,
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
