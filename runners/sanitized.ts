// Text as it may be pasted into a terminal: nothing in it can end a paste, press a key or steer the terminal.

/** All C0 controls but tab and line feed, DEL, and the C1 controls. */
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** The text without control characters, and with U+FFFD for halves of characters. */
export function sanitized(text: string): string {
  return Buffer.from(text.replace(CONTROLS, '')).toString();
}
