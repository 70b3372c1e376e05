// What a tool is: one value that everything else is derived from, the MCP listing, validation, the CLI command and the reference page.
import type { z } from 'zod';
import type { ErrorCode } from '../core/errors.ts';
import type { Orchestrator } from '../core/orchestrator.ts';
import type { Caller } from '../core/start.ts';
import { checked } from './check.ts';

/** What a call does to the world; the four MCP hints follow from it. */
export const EFFECTS = {
  reads: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  creates: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  changes: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  destroys: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
} as const;
export type Effect = keyof typeof EFFECTS;

/** What a call may use. */
export interface ToolContext {
  readonly orchestrator: Orchestrator;
  readonly caller: Caller;
  /** A key for this very call, from the client or the door: a call that is sent again is the same call. */
  readonly callKey: string | undefined;
  /** Aborted when the client gives the call up. */
  readonly signal: AbortSignal;
  /** Tells the client that the work goes on; a no-op when it did not ask. */
  readonly progress: (message: string) => void;
}

/** How a person sees the rows of an answer. */
export interface Table {
  /** What the rows are, where an answer has several tables. */
  readonly title?: string;
  /** Name of the field that holds the rows. */
  readonly rows: string;
  /** Heading → field of a row, a path such as `lastSession.id`, or several of which the first that is there is shown, such as `reason|cause`. */
  readonly columns: Readonly<Record<string, string>>;
}

/** Groups by which tools are listed; `core` always is. `session` is for sessions that call, and for nobody else. */
export type Toolset = 'core' | 'queue' | 'prompts' | 'admin' | 'session';

export interface ToolDeclaration<Name extends string, Input extends z.ZodObject, Output extends z.ZodObject> {
  /** `noun_verb`; the CLI command is `noun verb`. */
  readonly name: Name;
  readonly title: string;
  /** For models: what it does, when to use it, what comes back, what to do next. */
  readonly description: string;
  readonly effect: Effect;
  /** Group by which it is listed. */
  readonly toolset: Toolset;
  readonly input: Input;
  readonly output: Output;
  /** Arguments the CLI takes without a flag, in order. */
  readonly positional?: readonly (keyof z.input<Input> & string)[];
  /** Codes it may fail with, besides INVALID_INPUT and INTERNAL. */
  readonly fails: readonly ErrorCode[];
  readonly examples: readonly z.input<Input>[];
  readonly handle: (input: z.output<Input>, context: ToolContext) => Promise<z.input<Output>>;
  /** The answer in a sentence. */
  readonly say: (output: z.input<Output>) => string;
  readonly tables?: readonly Table[];
}

/** A tool as the doors use it: its types are checked at the border. Its own name and schemas stay known, for the typed client. */
export interface Tool<
  Name extends string = string,
  Input extends z.ZodObject = z.ZodObject,
  Output extends z.ZodObject = z.ZodObject,
> {
  readonly name: Name;
  readonly title: string;
  readonly description: string;
  readonly effect: Effect;
  readonly toolset: Toolset;
  readonly input: Input;
  readonly output: Output;
  readonly positional: readonly string[];
  readonly fails: readonly ErrorCode[];
  readonly examples: readonly Readonly<Record<string, unknown>>[];
  /** Checks the arguments, does the work, answers with `summary` in front. Fails with INVALID_INPUT and the codes of `fails`. */
  readonly call: (args: unknown, context: ToolContext) => Promise<Readonly<Record<string, unknown>>>;
  readonly tables: readonly Table[];
}

/** Declares a tool. */
export function defineTool<const Name extends string, Input extends z.ZodObject, Output extends z.ZodObject>(
  declaration: ToolDeclaration<Name, Input, Output>,
): Tool<Name, Input, Output> {
  const { handle, say, positional = [], tables = [], ...rest } = declaration;
  return {
    ...rest,
    positional,
    tables,
    async call(args, context) {
      const output = await handle(checked(declaration.input, args), context);
      return { summary: say(output), ...output };
    },
  };
}
