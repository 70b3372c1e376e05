// Runs a command that is a tool: calls it, follows or waits where that is asked for, and prints what comes.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { answerText, onward } from './answer.ts';
import { type Asked, askLine } from './asks.ts';
import { attach, isAtTerminal } from './attach.ts';
import { connectClient } from './client.ts';
import type { Command, Parsed } from './command.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { Entry, entryLine, followLog, runUntilSettled, Standing, waitUntilSettled } from './follow.ts';
import { eventLine, followEvents } from './follow-events.ts';

type Answer = Readonly<Record<string, unknown>>;

const Entries = z.looseObject({ entries: z.array(Entry).default([]) });

/** Answers the exit code. */
export async function runTool(
  { words, tool }: Command,
  { input, workspace, format, follow, print: onlyPrint }: Parsed,
  print: (text: string) => void,
): Promise<number> {
  const isJson = format === 'json';
  const given = input.prompt === '-' ? { ...input, prompt: readFileSync(0, 'utf8') } : input;
  // an old name fixes what today's name leaves open
  const name = words.join('_');
  const client = await connectClient({ workspace });
  const note = (text: string) => (process.stderr.isTTY ? process.stderr.write(`\r\u001b[K${text}`) : undefined);
  const printEntry = (entry: Entry) => print(isJson ? JSON.stringify(entry) : entryLine(entry));
  const listener = {
    print: printEntry,
    ask: (request: Asked) => print(isJson ? JSON.stringify({ request }) : askLine(request)),
    stand: (waiting: Standing) => print(isJson ? JSON.stringify({ waiting }) : onward(waiting)),
  };
  const show = (answer: Answer) => print(isJson ? JSON.stringify(answer, null, 2) : answerText(answer, tool));
  const isWaiting = tool.name === 'session_wait' || tool.name === 'session_run';
  process.once('SIGINT', () => {
    const end = tool.name === 'event_list' ? 'The following ended.' : 'The following ended; the session goes on.';
    process.stderr.write(follow || isWaiting ? `\n${end}\n` : '\n');
    process.exit(EXIT.interrupted);
  });
  try {
    if (tool.name === 'session_logs' && follow) {
      const { sessionId, tail, kinds, after, grep } = given;
      await followLog(client, String(sessionId), listener, { query: { tail, kinds, after, grep } });
      return EXIT.done;
    }
    if (tool.name === 'event_list' && follow) {
      await followEvents(client, given, (event) => print(isJson ? JSON.stringify(event) : eventLine(event)));
    }
    if (isWaiting) {
      const { answer, sessions, timedOut } =
        tool.name === 'session_run' ? await runUntilSettled(client, given, note) : await waitUntilSettled(client, given, note);
      show(answer);
      return exitCodeOf(sessions, timedOut);
    }
    const answer = await client.call(name, given);
    if (tool.name === 'session_attach' && !given.detach && !onlyPrint && !isJson && isAtTerminal()) {
      await client.close();
      return await attach(answer);
    }
    if (tool.name === 'session_start' && follow) {
      const id = String(answer.id);
      process.stderr.write(`${String(answer.summary)}\n`);
      // before a person it goes on with what was answered elsewhere; a program is told to answer first
      const how = await followLog(client, id, listener, { endsWaiting: !process.stdout.isTTY });
      const session = await client.call('session_get', { sessionId: id });
      print(isJson ? JSON.stringify(session) : answerText(session, tool));
      return exitCodeOf([Standing.parse(session)], how === 'waiting');
    }
    if (tool.name === 'session_logs' && !isJson) for (const entry of Entries.parse(answer).entries) printEntry(entry);
    else show(answer);
    return EXIT.done;
  } finally {
    await client.close();
  }
}
