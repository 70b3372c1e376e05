// What is said to a running agent: lines of stream-json in a file, which the run's supervisor feeds to it. The file is the pipe, inwards too.
//
// A line counts once its line end is there. A hub that dies, or runs out of disk, within a line leaves a torn one. Nothing can be taken
// back, since the agent may have read the beginning, and Claude Code ends at a line that is not JSON. So whoever looks next completes it to
// a line that says nothing. What that line was to say is then said anew; a promptId that a whole line has is never said again.
// The input ends when its feeder is ended: only when all that was said was received, and from then on nothing is added.
import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import type { Message } from '../core/run-ports.ts';
import { errnoOf, isAlive, signalProcess } from './process.ts';
import { readFeeder, readIfThere } from './run-folder.ts';

export interface Inbox {
  /** Says it, unless it was said before, or nothing reaches the agent any more: then it will not be received. */
  tell(message: Message): Promise<void>;
  /** Ends the input where everything that was said is among `received`. Harmless when it has ended. */
  endUnlessOwing(received: ReadonlySet<string>): Promise<void>;
  /** When this hub wrote into it last; 0 when it has not. */
  readonly toldAt: number;
}

const Said = z.looseObject({ type: z.literal('user'), uuid: z.string() });
/** Longer than any feeder takes to pass on the end of a torn line. */
const MENDED_MS = 2000;

/** The line that says this to an agent, all ASCII, so that it is not torn within a character and no reader finds another line end in it. */
export function userLine({ promptId, text }: Message): string {
  const message = { role: 'user', content: [{ type: 'text', text }] };
  // the type comes last: a line that is torn has not said yet what it is
  return asciiLine({ uuid: promptId, message, type: 'user' });
}

/** The messages that are in the file `in` of this run folder, and more. */
export function openInbox(folder: string, clock: Clock): Inbox {
  const file = path.join(folder, 'in');
  let last: Promise<unknown> = Promise.resolve();
  let hasEnded = false;
  let toldAt = 0;
  let mendedAt = 0;

  /** One after the other: nothing may be added between the look at what is owed and the end of the input. */
  function inTurn<T>(deed: () => Promise<T>): Promise<T> {
    const done = last.then(deed);
    last = done.catch(() => undefined);
    return done;
  }

  async function look() {
    const text = await readIfThere(file);
    if (text === undefined) return fail('PROMPT_REFUSED', 'This agent cannot be spoken to while it runs.');
    const end = text.lastIndexOf('\n') + 1;
    const mend = mendOf(text.slice(end));
    const said = `${text}${mend}`.split('\n').flatMap((line) => Said.safeParse(parsed(line)).data?.uuid ?? []);
    return { mend, said: new Set(said) };
  }

  async function add(text: string): Promise<void> {
    try {
      await appendFile(file, text);
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'ENOSPC' || code === 'EDQUOT') fail('STORAGE_FULL', 'There is no space left to hand the message over.');
      fail('STORAGE_FAILED', `The message could not be handed over (${code ?? 'unknown error'}).`);
    }
  }

  return {
    tell: (message) =>
      inTurn(async () => {
        const { mend, said } = await look();
        const isSaid = said.has(message.promptId);
        const feeder = await readFeeder(folder);
        if (hasEnded || (feeder && !isAlive(feeder)) || (isSaid && mend === '')) return;
        toldAt = clock.now();
        await add(isSaid ? mend : `${mend}${message.mode === 'interrupt' ? interruptLine(message) : ''}${userLine(message)}`);
      }),
    endUnlessOwing: (received) =>
      inTurn(async () => {
        const feeder = hasEnded ? undefined : await readFeeder(folder);
        if (!feeder) return;
        const { mend, said } = await look();
        if (mend !== '') {
          mendedAt = toldAt = clock.now();
          return add(mend);
        }
        if (clock.now() - mendedAt < MENDED_MS || [...said].some((promptId) => !received.has(promptId))) return;
        hasEnded = true;
        signalProcess(feeder, 'SIGTERM');
      }),
    get toldAt() {
      return toldAt;
    },
  };
}

function interruptLine({ promptId }: Message): string {
  return asciiLine({ request_id: promptId, request: { subtype: 'interrupt' }, type: 'control_request' });
}

function asciiLine(value: object): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `${JSON.stringify(value).replace(/[\u007f-\uffff]/g, escaped)}\n`;
}

const STRING_ENDS = ['', '"', '\\"', '0"', '00"', '000"', '0000"'];
const VALUES = ['', ':0', '0', '"":0'];
const CLOSINGS = ['', '}', ']}', '}]}'];
const NOTHING = ['"type":"keep_alive"}\n', ',"type":"keep_alive"}\n'];

/** What to add to a torn line of ours so that it is one that says nothing, or the whole line where only its end is missing. */
function mendOf(torn: string): string {
  if (torn === '') return '';
  if (parsed(torn) !== undefined) return '\n';
  for (const stringEnd of STRING_ENDS) {
    for (const value of VALUES) {
      for (const closing of CLOSINGS) {
        for (const nothing of NOTHING) {
          const rest = `${stringEnd}${value}${closing}${nothing}`;
          if (parsed(`${torn}${rest}`) !== undefined) return rest;
        }
      }
    }
  }
  return fail('INTERNAL', 'The end of what was said to the agent cannot be mended.');
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
