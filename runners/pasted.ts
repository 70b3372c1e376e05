// Claude Code puts marks around a long paste before its model and its records get it, and a backslash into words that look like such a mark.
// Here both are taken off again.

const MARKED = /\n{0,2}<pasted_content id="(\w+)">\n?([\s\S]*?)\n?<\/pasted_content id="\1">\n?/g;
const ESCAPED = /<\\(?=\/?pasted_content)/g;

/** The words as they were typed or pasted. */
export function withoutPasteMarks(text: string): string {
  return text.includes('pasted_content') ? text.replace(MARKED, '$2').replace(ESCAPED, '<') : text;
}
