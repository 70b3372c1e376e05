// What the core needs of what runs: runners and their runs, and the terminals of interactive ones. Implementations live in runners/.
import type { AgentEntry } from './agent.ts';
import type { AgentResult, EndCause } from './ending.ts';
import type { ProcessRef, SessionType } from './session.ts';
import type { PromptMode } from './talk.ts';

/** Something said to a session. */
export interface Message {
  /** A UUID, by which the agent's own record tells that it got this very message. */
  readonly promptId: string;
  readonly text: string;
  /** `queue`: taken up when the agent comes to it; `interrupt`: what it does is broken off first. */
  readonly mode: PromptMode;
}

/** All that one run needs to know. */
export interface RunSpec {
  readonly sessionId: string;
  readonly run: number;
  readonly type: SessionType;
  readonly agent: AgentEntry & { readonly name: string };
  /** What the agent is told, in order; at least one. The run begins with the first. */
  readonly messages: readonly Message[];
  /** What the agent is told about its session besides the prompt, where the agent has a place for it. */
  readonly briefing: string;
  /** Absolute working folder. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly conversationId: string;
  /** True: go on with the conversation; false: begin it. */
  readonly resume: boolean;
  readonly model?: string | undefined;
  readonly maxCostUsd?: number | undefined;
  /** Uses of tools that are denied, as `permissions.ts` reads them: what the settings said at the start. */
  readonly deny?: readonly string[] | undefined;
  /** JSON Schema, as text, of the data the agent is to end with. */
  readonly resultSchema?: string | undefined;
  /**
   * The agent may call the hub that runs it, as this run: where it does so over HTTP. The token goes into files of the run and its environment, never
   * into arguments or logs. An agent that calls on its output (see `calls`) is told neither.
   */
  readonly mcp?:
    | {
        readonly url: string;
        readonly token: string;
        /** After so long the agent gives up a call, in milliseconds. It may have asked something that is answered late. */
        readonly callTimeoutMs?: number | undefined;
      }
    | undefined;
}

/** How a run's process ended, as far as it was seen. */
export type Exit = { readonly code: number } | 'lost';

export type RunEvent =
  /** The agent's process is there. */
  | { readonly kind: 'started'; readonly process: ProcessRef }
  /** Its log grew to this many bytes. */
  | { readonly kind: 'spoke'; readonly bytes: number }
  /** Its standard error grew to this many bytes. */
  | { readonly kind: 'complained'; readonly bytes: number }
  /** The agent's own record shows that it got this message. Told once for each hub that follows the run; may be told of messages nobody asked about. */
  | { readonly kind: 'received'; readonly promptId: string }
  /** The message did not reach the agent and will not in this run. */
  | { readonly kind: 'undelivered'; readonly promptId: string; readonly reason: string }
  /** It wants to use a tool that nobody has allowed, and waits for `answer`. Told once for each hub, unless it was answered. */
  | { readonly kind: 'asks'; readonly callId: string; readonly tool: string; readonly input: unknown }
  /** It does not ask that any more: it was interrupted, or somebody decided it in its terminal. May be told of what nobody heard it ask. */
  | { readonly kind: 'withdrawn'; readonly callId: string; readonly decision?: Verdict['behavior'] }
  /**
   * It says this to the MCP server of its hub on its output, and waits for `reply`. Told to each hub that follows the run, also with `isReplied`:
   * what was said before, such as how the connection began, is what the next hub must know. Without a message: it was too long to be read.
   */
  | { readonly kind: 'calls'; readonly callId: string; readonly message: unknown; readonly isReplied: boolean }
  /**
   * It stopped working and waits for somebody: at its prompt, at a permission, or for what cannot be told. Interactive runs only; told at each
   * change. `text` is what it said last, asks, or shows.
   */
  | { readonly kind: 'idle'; readonly for: 'prompt' | 'permission' | 'unknown'; readonly text?: string | undefined }
  /** It works again. */
  | { readonly kind: 'works' }
  /** The last event: its whole process tree is gone. `stderr` is the last of what it wrote there. */
  | { readonly kind: 'ended'; readonly exit: Exit; readonly result: AgentResult | undefined; readonly stderr: string };

/** Whether an agent may use the tool it asked for; `message` tells it why not. */
export type Verdict = { readonly behavior: 'allow' } | { readonly behavior: 'deny'; readonly message: string };

/** One run that was started or found. */
export interface Run {
  /** Ends after `ended`. To be read once. */
  readonly events: AsyncIterable<RunEvent>;
  /** Takes down the whole process tree, by the ladder of its agent kind. Resolves when asked, not when gone; may be called again. */
  stop(cause: EndCause): Promise<void>;
  /**
   * Says something to the agent. Resolves when it is handed over; that the agent has it is told by `received`. A promptId that was handed over
   * to this run before, also by an earlier hub, is not said again. Fails with PROMPT_REFUSED where this agent cannot be spoken to while it runs.
   */
  tell(message: Message): Promise<void>;
  /**
   * Answers what the agent asked by `asks`. Resolves when it is handed over. What was answered before, also by an earlier hub, is not answered
   * again, nor what it does not ask. Fails with PROMPT_REFUSED where this agent has no way to ask.
   */
  answer(callId: string, verdict: Verdict): Promise<void>;
  /**
   * Hands over what the MCP server answers to `calls`; undefined refuses what was too long to be read. Resolves when that is done; a call that has
   * its reply, also from an earlier hub, gets no other.
   */
  reply(callId: string, message: object | undefined): Promise<void>;
}

/** What one run says to the MCP server of its hub, for as long as the run is followed. */
export interface RunCalls {
  /** Takes one, in the order in which they were said. Nothing waits for it. */
  take(call: Extract<RunEvent, { kind: 'calls' }>): void;
  /** Nothing is replied from here on; what is open waits for whoever follows the run next. */
  close(): void;
}

/** Opens the MCP server for a run that calls on its output. */
export type ServeRun = (of: { readonly sessionId: string; readonly run: number }, run: Pick<Run, 'reply'>) => RunCalls;

/** Starts, watches and stops runs of one kind. */
export interface Runner {
  /** The agent's program as an absolute path, or undefined when it is not there. */
  locate(agent: AgentEntry, env: Readonly<Record<string, string>>, type?: SessionType): Promise<string | undefined>;
  /** Starts the run, at most once ever for this session and run number. Fails with AGENT_MISSING or STORAGE_FAILED. */
  start(spec: RunSpec): Promise<Run>;
  /** The run as it is found after a restart, alive or ended; undefined when it never started, and then it never will. */
  adopt(sessionId: string, run: number): Promise<Run | undefined>;
  /** Ends every process of a run that nobody follows, and closes its terminal. Resolves when none is left. */
  end(sessionId: string, run: number): Promise<void>;
}

/** Where a person meets an interactive session. */
export interface Terminal {
  /** The exact command line, as words. */
  readonly command: readonly string[];
  /** Path of the tmux server's socket. */
  readonly socket: string;
  readonly session: string;
  readonly pane: string;
  /** Terminals that are attached now. */
  readonly attached: number;
}

/** The terminals of interactive runs. */
export interface Terminals {
  /** The terminal of this run, or undefined when it has none (any more). */
  find(sessionId: string, run: number): Promise<Terminal | undefined>;
  /** Detaches everybody; answers how many there were. */
  detach(sessionId: string, run: number): Promise<number>;
}
