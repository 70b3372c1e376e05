// What a person or a paste puts into a terminal in raw mode, as lines: pastes count as text whatever is in them, Enter submits.
import { StringDecoder } from 'node:string_decoder';

export interface TerminalInput {
  /** What stands in the line now. */
  readonly line: string;
  take(chunk: Buffer): void;
  /** Nothing came for a moment: what could have been the beginning of a sequence was a key. */
  settle(): void;
}

export interface TerminalKeys {
  submit(text: string): void;
  /** Escape or C-c. */
  interrupt(): void;
  /** C-d on an empty line. */
  leave(): void;
}

const PASTE_BEGINS = '\x1b[200~';
const PASTE_ENDS = '\x1b[201~';

export function createTerminalInput(keys: TerminalKeys): TerminalInput {
  const decoder = new StringDecoder('utf8');
  let waiting = '';
  let line = '';
  let isPasting = false;

  function takePaste(): boolean {
    const end = waiting.indexOf(PASTE_ENDS);
    // the end mark may come in two pieces
    const sure = end >= 0 ? end : Math.max(0, waiting.length - PASTE_ENDS.length + 1);
    line += waiting.slice(0, sure);
    waiting = waiting.slice(end >= 0 ? end + PASTE_ENDS.length : sure);
    isPasting = end < 0;
    return end >= 0;
  }

  function takeKey(): boolean {
    if (waiting.startsWith(PASTE_BEGINS)) {
      isPasting = true;
      waiting = waiting.slice(PASTE_BEGINS.length);
      return true;
    }
    if (PASTE_BEGINS.startsWith(waiting)) return false;
    const [sequence = ''] = /^\x1b\[[0-?]*[ -/]*[@-~]/.exec(waiting) ?? [];
    const key = sequence || String.fromCodePoint(waiting.codePointAt(0) ?? 0);
    waiting = waiting.slice(key.length);
    if (sequence === '') press(key);
    return true;
  }

  function press(key: string): void {
    switch (key) {
      case '\r': {
        const text = line;
        line = '';
        if (text !== '') keys.submit(text);
        return;
      }
      case '\x15':
        line = '';
        return;
      case '\x7f':
        line = [...line].slice(0, -1).join('');
        return;
      case '\x03':
      case '\x1b':
        keys.interrupt();
        return;
      case '\x04':
        if (line === '') keys.leave();
        return;
      default:
        if (key >= ' ' || key === '\n' || key === '\t') line += key;
    }
  }

  return {
    get line() {
      return line;
    },
    take(chunk) {
      waiting += decoder.write(chunk);
      while (isPasting ? takePaste() : takeKey());
    },
    settle() {
      if (isPasting || !waiting.startsWith('\x1b')) return;
      waiting = '';
      keys.interrupt();
    },
  };
}
