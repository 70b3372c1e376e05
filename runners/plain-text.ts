// Terminal output as plain text.

/** Control sequences (CSI), strings (OSC and the like, which end with BEL or ST), two-character escapes, and other controls but tab and line feed. */
const STEERING = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|[\x00-\x08\x0b-\x1f\x7f]/g;

/** The text without what steers a terminal. */
export function plainText(text: string): string {
  return text.replace(STEERING, '');
}

/** What wrapping, wide characters and odd blanks leave of it: to find a text again on a screen. */
export function squeezed(text: string): string {
  return plainText(text).replace(/[^!-~]/g, '');
}
