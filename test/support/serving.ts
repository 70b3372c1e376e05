// `sc serve --http` as a person runs it: started, read, interrupted.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Access } from './http-clients.ts';
import { CLI, type Environment } from './project.ts';

const Printed = z.looseObject({
  url: z.string(),
  workspace: z.string(),
  tokens: z.object({ read: z.string(), operate: z.string(), admin: z.string() }),
});

export interface Serving {
  readonly process: ChildProcess;
  readonly url: string;
  /** What a client with that scope needs, with the token as its file says now. */
  access(scope: 'read' | 'operate' | 'admin'): Promise<Access>;
  tokenFile(scope: 'read' | 'operate' | 'admin'): string;
  /** Ends it as Ctrl-C does; answers the exit code. */
  interrupt(): Promise<number | null>;
}

/** Starts it and waits until it has printed its address. */
export async function serve(
  place: { readonly env: Environment; readonly cwd: string },
  args: readonly string[] = [],
  [program, ...first]: readonly [string, ...string[]] = [process.execPath, CLI],
): Promise<Serving> {
  const child = spawn(program, [...first, 'serve', '--http', ...args, '--format=json'], {
    ...place,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let complained = '';
  child.stderr.on('data', (chunk) => {
    complained += String(chunk);
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const printed = await new Promise<z.infer<typeof Printed>>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      said += String(chunk);
      if (said.trimEnd().endsWith('}')) resolve(Printed.parse(JSON.parse(said)));
    });
    void exited.then((code) => reject(new Error(`sc serve ended with ${code}: ${complained}`)));
  });
  const tokenFile = (scope: 'read' | 'operate' | 'admin') => printed.tokens[scope];
  return {
    process: child,
    url: printed.url,
    tokenFile,
    access: async (scope) => ({ url: printed.url, token: (await readFile(tokenFile(scope), 'utf8')).trim() }),
    interrupt() {
      child.kill('SIGINT');
      return exited;
    },
  };
}
