// What a benchmark is, and the places they all measure in.
import { z } from 'zod';
import type { TestClient } from '../test/support/clients.ts';
import type { Row } from './measure.ts';
import type { Programs } from './programs.ts';

export interface Bench {
  /** As it is called on the command line. */
  readonly name: string;
  run(programs: Programs): Promise<readonly Row[]>;
}

const Started = z.looseObject({ id: z.string(), status: z.string() });
const Waited = z.looseObject({ sessions: z.array(Started), timedOut: z.boolean() });

/** Starts a session and answers its id. */
export async function startSession(client: TestClient, args: Readonly<Record<string, unknown>>): Promise<string> {
  return Started.parse(await client.call('session_start', args)).id;
}

/** Waits until the session has settled. Rejects when it did not complete. */
export async function completed(client: TestClient, sessionId: string): Promise<void> {
  const { sessions, timedOut } = Waited.parse(await client.call('session_wait', { sessionIds: [sessionId], timeoutSeconds: 40 }));
  const status = timedOut ? 'still under way' : sessions.find(({ id }) => id === sessionId)?.status;
  if (status !== 'completed') throw new Error(`Session ${sessionId} is ${status}: ${JSON.stringify(sessions)}`);
}

/** Task files by name, as many as asked for. */
export function taskFiles(count: number): Readonly<Record<string, string>> {
  const text = (number: number) =>
    `# Task ${number}\n\n---\ntype: feature\nstatus: todo\narea: bench\n---\n\n## Instruction\n\nNothing.\n\n## Log\n`;
  return Object.fromEntries(Array.from({ length: count }, (_, at) => [`task-${at}.task.md`, text(at)]));
}
