// The tools as methods: one for each tool, named and typed by the tool itself. Nothing here lists them.
import type { z } from 'zod';
import { fail } from '../core/errors.ts';
import type { Tool } from '../tools/define.ts';
import { TOOLS } from '../tools/index.ts';
import type { CallOptions, HubConnection } from './hub-connection.ts';

type AnyTool = (typeof TOOLS)[number];

/** `session_start` as `sessionStart`. */
export type MethodName<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<MethodName<Tail>>}`
  : Name;

/** The keys a type names, without those that only an index signature allows. */
type NamedKeys<Type> = keyof { [Key in keyof Type as string extends Key ? never : number extends Key ? never : Key]: true };

/** What an answer is known to hold. Answers may hold more than their schema names; a mistyped field must not compile all the same. */
export type Known<Type> = Type extends readonly (infer Item)[]
  ? readonly Known<Item>[]
  : Type extends object
    ? [NamedKeys<Type>] extends [never]
      ? Type
      : { readonly [Key in keyof Type as Key extends NamedKeys<Type> ? Key : never]: Known<Type[Key]> }
    : Type;

type ArgumentsOf<Each extends Tool> = z.input<Each['input']>;
type AnswerOf<Each extends Tool> = Known<z.output<Each['output']>>;

/** A tool as a method; its arguments may be left out where none is required. */
export type ToolMethod<Each extends Tool> =
  Record<never, never> extends ArgumentsOf<Each>
    ? (args?: ArgumentsOf<Each>, options?: CallOptions) => Promise<AnswerOf<Each>>
    : (args: ArgumentsOf<Each>, options?: CallOptions) => Promise<AnswerOf<Each>>;

/** Every tool as a method: `sessionStart`, `queueStatus` and so on. */
export type ToolMethods = { readonly [Each in AnyTool as MethodName<Each['name']>]: ToolMethod<Each> };

/** What a method takes, such as `Arguments<'sessionStart'>`. */
export type Arguments<Method extends keyof ToolMethods> = NonNullable<Parameters<ToolMethods[Method]>[0]>;

/** What a method answers, such as `Answer<'sessionGet'>`. */
export type Answer<Method extends keyof ToolMethods> = Awaited<ReturnType<ToolMethods[Method]>>;

/** The methods over a connection. Each fails with the errors of its tool, and with HUB_UNREACHABLE, CANCELLED or INTERNAL. */
export function toolMethods(connection: Pick<HubConnection, 'call'>): ToolMethods {
  const methods: object = Object.fromEntries(TOOLS.map((tool) => [methodName(tool.name), methodOf(tool, connection)]));
  return isComplete(methods) ? methods : fail('INTERNAL', 'A tool has no method.');
}

function methodOf(tool: Tool, connection: Pick<HubConnection, 'call'>) {
  return async (args: Readonly<Record<string, unknown>> = {}, options?: CallOptions): Promise<unknown> => {
    const answer = tool.output.safeParse(await connection.call(tool.name, args, options));
    if (answer.success) return answer.data;
    return fail('INTERNAL', `The hub answered ${tool.name} in a way this version does not know.`, {
      problems: answer.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`),
    });
  };
}

function methodName(tool: string): string {
  return tool.replace(/_(\w)/g, (_match, letter: string) => letter.toUpperCase());
}

function isComplete(methods: object): methods is ToolMethods {
  return TOOLS.every(({ name }) => methodName(name) in methods);
}
