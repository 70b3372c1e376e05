// What is said to a running agent: lines of stream-json in a file, which the run's supervisor feeds to it. The file is the pipe, inwards too.
//
// A line counts once its line end is there. A hub that dies, or runs out of disk, within a line leaves a torn one. Nothing can be taken
// back, since the agent may have read the beginning, and Claude Code ends at a line that is not JSON. So whoever looks next completes it to
// a line that says nothing. What that line was to say is then said anew; a promptId that a whole line has is never said again, and a control
// request of the agent that a whole line answers is never answered again. Nobody else writes here, so what was read once is not read again.
// The input ends when its feeder is ended: only when all that was said was received, and from then on nothing is added.
import { appendFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { oneAfterTheOther } from '../core/in-turn.ts';
import { parsedJson } from '../core/json.ts';
import type { Clock } from '../core/ports.ts';
import type { Message } from '../core/run-ports.ts';
import { errnoOf, isAlive, signalProcess } from './process.ts';
import { readFeeder, readFrom } from './run-folder.ts';

export interface Inbox {
  /** Says it, unless it was said before, or nothing reaches the agent any more: then it will not be received. */
  tell(message: Message): Promise<void>;
  /** Answers the agent's control request with this id, unless it was answered before, or nothing reaches the agent any more. */
  answer(requestId: string, response: object): Promise<void>;
  /** Answers it with an error. */
  refuse(requestId: string, error: string): Promise<void>;
  /** True where a whole line answers that request. */
  hasAnswered(requestId: string): boolean;
  /** Ends the input where everything that was said is among `received`. Harmless when it has ended. */
  endUnlessOwing(received: ReadonlySet<string>): Promise<void>;
  /** When this hub wrote into it last, by `elapsed`; never is -Infinity. */
  readonly toldAt: number;
}

const Said = z.looseObject({ type: z.literal('user'), uuid: z.string() });
const Answered = z.looseObject({ type: z.literal('control_response'), response: z.looseObject({ request_id: z.string() }) });
/** What tells the id of a request that was answered from that of a message. */
const ANSWER = 'answer ';
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
  /** What whole lines say, and how many bytes these are; all of them ASCII. */
  const said = new Set<string>();
  let wholeBytes = 0;
  // nothing may be added between the look at what is owed and the end of the input
  const inTurn = oneAfterTheOther();
  let hasEnded = false;
  let toldAt = Number.NEGATIVE_INFINITY;
  let mendedAt = Number.NEGATIVE_INFINITY;

  /** Takes in the whole lines that were added; answers what is torn behind them, or undefined where the file is not there. */
  function readOn(): string | undefined {
    let torn = '';
    try {
      for (let more = readFrom(file, wholeBytes); more !== ''; more = readFrom(file, wholeBytes + torn.length)) {
        const text = torn + more;
        const end = text.lastIndexOf('\n') + 1;
        for (const line of text.slice(0, end).split('\n')) {
          const id = idIn(parsedJson(line));
          if (id !== undefined) said.add(id);
        }
        wholeBytes += end;
        torn = text.slice(end);
      }
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
    return torn;
  }

  function look() {
    const torn = readOn();
    if (torn === undefined) return fail('PROMPT_REFUSED', 'This agent cannot be spoken to while it runs.');
    const mend = mendOf(torn);
    return { mend, mended: idIn(parsedJson(`${torn}${mend}`)) };
  }

  /** Adds what says it under this id, unless a whole line has said it; a line that lacks its end alone gets that. */
  function addOnce(id: string, text: string): void {
    const { mend, mended } = look();
    const isSaid = said.has(id) || mended === id;
    const feeder = readFeeder(folder);
    if (hasEnded || (feeder && !isAlive(feeder)) || (isSaid && mend === '')) return;
    toldAt = clock.elapsed();
    add(isSaid ? mend : `${mend}${text}`);
  }

  function add(text: string): void {
    try {
      appendFileSync(file, text);
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'ENOSPC' || code === 'EDQUOT') fail('STORAGE_FULL', 'There is no space left to hand the message over.');
      fail('STORAGE_FAILED', `The message could not be handed over (${code ?? 'unknown error'}).`);
    }
  }

  return {
    tell: (message) =>
      inTurn(async () =>
        addOnce(message.promptId, `${message.mode === 'interrupt' ? interruptLine(message) : ''}${userLine(message)}`),
      ),
    answer: (requestId, response) =>
      inTurn(async () => addOnce(ANSWER + requestId, answerLine({ request_id: requestId, subtype: 'success', response }))),
    refuse: (requestId, error) =>
      inTurn(async () => addOnce(ANSWER + requestId, answerLine({ request_id: requestId, subtype: 'error', error }))),
    hasAnswered(requestId) {
      readOn();
      return said.has(ANSWER + requestId);
    },
    endUnlessOwing: (received) =>
      inTurn(async () => {
        const feeder = hasEnded ? undefined : readFeeder(folder);
        if (!feeder) return;
        const { mend } = look();
        if (mend !== '') {
          mendedAt = toldAt = clock.elapsed();
          return add(mend);
        }
        const isOwing = [...said].some((id) => !id.startsWith(ANSWER) && !received.has(id));
        if (clock.elapsed() - mendedAt < MENDED_MS || isOwing) return;
        hasEnded = true;
        signalProcess(feeder, 'SIGTERM');
      }),
    get toldAt() {
      return toldAt;
    },
  };
}

function answerLine(response: object): string {
  return asciiLine({ response, type: 'control_response' });
}

function interruptLine({ promptId }: Message): string {
  return asciiLine({ request_id: promptId, request: { subtype: 'interrupt' }, type: 'control_request' });
}

function asciiLine(value: object): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `${JSON.stringify(value).replace(/[\u007f-\uffff]/g, escaped)}\n`;
}

const STRING_ENDS = ['', '"', '\\"', '0"', '00"', '000"', '0000"'];
const WORD_ENDS = ['rue', 'ue', 'alse', 'lse', 'se', 'ull', 'll', 'l', 'e'];
const VALUES = ['', ':0', '0', '"":0', ...WORD_ENDS];
const NOTHING = ['"type":"keep_alive"}\n', ',"type":"keep_alive"}\n'];

/** What to add to a torn line of ours so that it is one that says nothing, or the whole line where only its end is missing. */
function mendOf(torn: string): string {
  if (torn === '') return '';
  if (parsedJson(torn) !== undefined) return '\n';
  const closing = closingOf(torn);
  for (const stringEnd of STRING_ENDS) {
    for (const value of VALUES) {
      for (const nothing of NOTHING) {
        const rest = `${stringEnd}${value}${closing}${nothing}`;
        if (parsedJson(`${torn}${rest}`) !== undefined) return rest;
      }
    }
  }
  return fail('INTERNAL', 'The end of what was said to the agent cannot be mended.');
}

/** The brackets that close what is open in a torn line, but for the outermost. */
function closingOf(torn: string): string {
  const open: string[] = [];
  // a string counts as one word, also one that is torn
  for (const [word] of torn.matchAll(/"(?:[^"\\]|\\.)*"?|[{}[\]]/g)) {
    if (word === '{') open.unshift('}');
    else if (word === '[') open.unshift(']');
    else if (word === '}' || word === ']') open.shift();
  }
  return open.slice(0, -1).join('');
}

/** What a line says is known by: the promptId of a message, or the id of the request it answers. */
function idIn(line: unknown): string | undefined {
  const answered = Answered.safeParse(line).data;
  return answered ? ANSWER + answered.response.request_id : Said.safeParse(line).data?.uuid;
}
