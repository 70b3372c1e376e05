// The calls that runs make on their output: each message is read in the run's log, and answered on its input. So there is no connection that could
// break, and nothing is kept besides: the hub that comes after a killed one reads the same log, hears again how it began, and works on what has no
// answer. A call that is done again carries the id of its control request as its request key, so it is the same one.
// An agent waits for the answer to each message, also to those that want none. It is told nothing that it did not ask for.
import type { JSONRPCMessage, McpServerFactory, Transport } from '@modelcontextprotocol/server';
import type { RunCalls, RunEvent, ServeRun } from '../core/run-ports.ts';
import { createGate, OWN_LIMITS, weightOf } from './http-limits.ts';
import { CANCELLED, INTERNAL_ERROR, INVALID_REQUEST, messageOf, NO_MESSAGE, REFUSED, TOO_DEEP } from './json-rpc.ts';
import { isShallow, part } from './messages.ts';
import type { Peer } from './peer.ts';
import { withKey, withoutProgress } from './request-key.ts';

export interface RunServers {
  readonly serveRun: ServeRun;
  /** From here on calls are worked on. */
  open(parts: RunServerParts): void;
  /** Nothing is answered from here on: the next hub does that. */
  close(): void;
}

export interface RunServerParts {
  /** Makes the MCP servers of a peer. */
  readonly build: (peer: Peer) => McpServerFactory;
  /** The environment the session was started with: what it starts gets its values from there. */
  readonly environmentOf: (sessionId: string) => Promise<Readonly<Record<string, string>> | undefined>;
}

type Call = Extract<RunEvent, { kind: 'calls' }>;

interface OpenCall {
  /** As the agent gave it. Agents connect twice, so two calls may have the same one. */
  readonly id: unknown;
  readonly isReplied: boolean;
  readonly leave: () => void;
}

const AGAIN_MS = 2000;
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
  let isClosed = false;

  return {
    open: opened,
    close() {
      isClosed = true;
      for (const calls of followed) calls.close();
    },
    serveRun(identity, run) {
      const open = new Map<string, OpenCall>();
      let isOver = isClosed;
      let server: Promise<AgentServer> | undefined;
      let last: Promise<unknown> = parts;

      /** The agent waits for it, so what fails is tried again. */
      async function reply(callId: string, message: object | undefined): Promise<void> {
        for (let tries = 1; !isOver; tries++) {
          try {
            return await run.reply(callId, message);
          } catch (error) {
            if (tries === 1) complain(error);
          }
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref());
        }
      }

      const refuse = ({ callId, message, isReplied }: Call, code: number, text: string) => {
        const id = part(message, 'id') ?? 0;
        return isReplied ? undefined : reply(callId, { jsonrpc: '2.0', id, error: { code, message: text } });
      };

      function end(callId: string, answer: object): void {
        const call = open.get(callId);
        open.delete(callId);
        call?.leave();
        if (call && !call.isReplied) void reply(callId, { ...answer, id: call.id });
      }

      async function connect(): Promise<AgentServer> {
        const { build, environmentOf } = await parts;
        const environment = (await environmentOf(identity.sessionId)) ?? {};
        return openServer(build({ kind: 'session', session: identity, environment }), end, complain);
      }

      async function take(call: Call): Promise<void> {
        const { callId, message: given, isReplied } = call;
        if (given === undefined) return isReplied ? undefined : reply(callId, undefined);
        if (!isShallow(JSON.stringify(given))) return refuse(call, INVALID_REQUEST, TOO_DEEP);
        const message = messageOf(given);
        if (!message) return refuse(call, INVALID_REQUEST, NO_MESSAGE);
        // nothing was asked of it that it could have answered
        if (!('method' in message)) return refuse(call, INVALID_REQUEST, 'This answers nothing.');
        server ??= connect();
        const { say, close } = await server.catch((error: unknown) => {
          server = undefined;
          throw error;
        });
        if (isOver) return close();
        const { method } = message;
        if (!('id' in message)) {
          if (method === 'notifications/cancelled') cancel(part(message.params, 'requestId'), say);
          else say(message);
          return isReplied ? undefined : reply(callId, NOTED);
        }
        if (isReplied && method !== 'initialize') return;
        const weight = weightOf('POST', message);
        const leave = 'status' in weight ? weight : gate.enter(`${identity.sessionId}/${identity.run}`, weight, OWN_LIMITS);
        if (typeof leave !== 'function') return refuse(call, REFUSED, leave.message);
        open.set(callId, { id: message.id, isReplied, leave });
        say({ ...withoutProgress(method === 'tools/call' ? withKey(message, callId) : message), id: callId });
      }

      /** Nobody waits for that call any more. */
      function cancel(id: unknown, say: AgentServer['say']): void {
        const [callId] = [...open].findLast(([, call]) => call.id === id) ?? [];
        if (callId === undefined) return;
        say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: callId } });
        end(callId, { jsonrpc: '2.0', error: CANCELLED });
      }

      const calls: RunCalls = {
        take(call) {
          last = last
            .then(() => (isOver ? undefined : take(call)))
            .catch((error: unknown) => {
              complain(error);
              return refuse(call, INTERNAL_ERROR, 'Something went wrong inside the server.');
            });
        },
        close() {
          isOver = true;
          followed.delete(calls);
          for (const { leave } of open.values()) leave();
          open.clear();
          server?.then(({ close }) => close()).catch(complain);
        },
      };
      followed.add(calls);
      return calls;
    },
  };
}

interface AgentServer {
  say(message: JSONRPCMessage): void;
  close(): void;
}

/** The MCP server of one run; `answer` is told what it answers to which call. */
async function openServer(
  factory: McpServerFactory,
  answer: (callId: string, message: object) => void,
  onerror: (error: unknown) => void,
): Promise<AgentServer> {
  const transport: Transport = {
    start: async () => {},
    async send(message) {
      // what is no answer tells of changes, which an agent looks up when it needs to know
      if (!('method' in message)) answer(String(message.id), message);
    },
    close: async () => transport.onclose?.(),
  };
  const server = await factory({ era: 'legacy' });
  await server.connect(transport);
  transport.onerror = onerror;
  return {
    say: (message) => transport.onmessage?.(message),
    close: () => void server.close().catch(onerror),
  };
}
