// The calls that runs make on their output: each message is read in the run's log, and answered on its input. So there is no connection that could
// break, and nothing is kept besides: the hub that comes after a killed one reads the same log, hears again how it began, and works on what has no
// answer. A call that is done again carries the id of its control request as its request key, so it is the same one.
// An agent waits for the answer to each message, also to those that want none. It is told nothing that it did not ask for.
import { type McpServerFactory, parseJSONRPCMessage, type Transport } from '@modelcontextprotocol/server';
import { ScopecraftError } from '../core/errors.ts';
import type { RunCalls, RunEvent, ServeRun } from '../core/run-ports.ts';
import { createGate, OWN_LIMITS, weightOf } from './http-limits.ts';
import { isShallow, keyOf, part } from './messages.ts';
import type { Peer } from './peer.ts';
import { withKey, withoutProgress } from './request-key.ts';

export interface RunServers {
  readonly serveRun: ServeRun;
  /** From here on calls are worked on. */
  open(parts: RunServerParts): void;
  /** Nothing is answered from here on: the next hub does. */
  close(): void;
}

export interface RunServerParts {
  /** Makes the MCP servers of a peer. */
  readonly build: (peer: Peer) => McpServerFactory;
  /** The environment the session was started with: what it starts gets its values from there. */
  readonly environmentOf: (sessionId: string) => Promise<Readonly<Record<string, string>> | undefined>;
}

type Call = Extract<RunEvent, { kind: 'calls' }>;
type Reply = (callId: string, message: object) => Promise<void>;

/** What is open for one agent: the MCP server, and the calls that it works on. */
interface Connection {
  take(message: object): void;
  /** Has a call worked on; its answer is told by `done`. */
  call(request: object, id: unknown, done: (answer: object) => void): void;
  /** Nobody waits for that call any more. */
  cancel(id: unknown): void;
  close(): void;
}

const AGAIN_MS = 2000;
const INVALID_REQUEST = -32600;
const REFUSED = -32000;
/** What an agent takes for the end of a message that wants no answer. */
const NOTED = { jsonrpc: '2.0', id: 0, result: {} };

/** The MCP servers of runs, which wait until they are opened. */
export function createRunServers(log: (line: string) => void): RunServers {
  let opened: (parts: RunServerParts) => void = () => {};
  const parts = new Promise<RunServerParts>((resolve) => {
    opened = resolve;
  });
  const followed = new Set<RunCalls>();
  const gate = createGate(() => performance.now());
  const complain = (error: unknown) => log(`calls of a run: ${error instanceof Error ? error.stack : String(error)}`);

  return {
    open: opened,
    close() {
      for (const calls of followed) calls.close();
    },
    serveRun(identity, run) {
      let isOver = false;
      let connection: Connection | undefined;
      let last: Promise<unknown> = parts;

      /** The agent waits for it, so a disk that is full or fails is tried again. */
      const reply: Reply = async (callId, message) => {
        while (!isOver) {
          try {
            return await run.reply(callId, message);
          } catch (error) {
            complain(error);
            if (!(error instanceof ScopecraftError && ['STORAGE_FULL', 'STORAGE_FAILED'].includes(error.code))) return;
          }
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref());
        }
      };

      async function connect(): Promise<Connection> {
        const { build, environmentOf } = await parts;
        const environment = (await environmentOf(identity.sessionId)) ?? {};
        return openConnection(build({ kind: 'session', session: identity, environment }), complain);
      }

      async function take({ callId, message, isReplied }: Call): Promise<void> {
        const id = part(message, 'id');
        const answer: Reply = async (...given) => void (isReplied || (await reply(...given)));
        const refuse = (text: string, code = REFUSED) =>
          answer(callId, { jsonrpc: '2.0', id: id ?? 0, error: { code, message: text } });
        const problem = problemOf(message);
        if (problem !== undefined || typeof message !== 'object' || message === null)
          return refuse(problem ?? '', INVALID_REQUEST);
        const method = part(message, 'method');
        if (method === 'initialize') {
          connection?.close();
          connection = await connect();
        }
        if (!connection) return refuse('Nothing was initialized before.');
        if (id === undefined) {
          if (method === 'notifications/cancelled') connection.cancel(part(part(message, 'params'), 'requestId'));
          else connection.take(message);
          return answer(callId, NOTED);
        }
        if (isReplied && method !== 'initialize') return;
        const weight = weightOf('POST', message);
        const leave = 'status' in weight ? weight : gate.enter(`${identity.sessionId}/${identity.run}`, weight, OWN_LIMITS);
        if (typeof leave !== 'function') return refuse(leave.message);
        connection.call(withoutProgress(method === 'tools/call' ? withKey(message, callId) : message), id, (answered) => {
          leave();
          void answer(callId, answered);
        });
      }

      const calls: RunCalls = {
        take(call) {
          last = last.then(() => (isOver ? undefined : take(call))).catch(complain);
        },
        close() {
          isOver = true;
          followed.delete(calls);
          connection?.close();
        },
      };
      followed.add(calls);
      return calls;
    },
  };
}

/** Why a message is not worked on. */
function problemOf(message: unknown): string | undefined {
  if (!isShallow(JSON.stringify(message) ?? '')) return 'A message may be nested no deeper than what a tool takes.';
  try {
    parseJSONRPCMessage(message);
    return undefined;
  } catch {
    return 'This is no JSON-RPC message.';
  }
}

async function openConnection(factory: McpServerFactory, onerror: (error: unknown) => void): Promise<Connection> {
  const open = new Map<string, (answer: object) => void>();
  const end = (id: unknown, answer: object) => {
    const done = open.get(keyOf(id));
    open.delete(keyOf(id));
    done?.(answer);
  };
  const transport: Transport = {
    start: async () => {},
    // what is no answer tells of changes, which an agent looks up when it needs to know
    send: async (message) => end(part(message, 'id'), message),
    close: async () => transport.onclose?.(),
  };
  const server = await factory({ era: 'legacy' });
  await server.connect(transport);
  transport.onerror = onerror;
  const take = (message: object) => transport.onmessage?.(parseJSONRPCMessage(message));
  return {
    take,
    call(request, id, done) {
      open.set(keyOf(id), done);
      take(request);
    },
    cancel(id) {
      take({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
      end(id, { jsonrpc: '2.0', id, error: { code: REFUSED, message: 'The call was cancelled.' } });
    },
    close() {
      server.close().catch(onerror);
    },
  };
}
