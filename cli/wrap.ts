// Long lines of help, broken at blanks where a terminal would break them within words.

/** What is left of a line for its text, at least; where the margin leaves less, the text goes on under a small one. */
const LEAST_WIDTH = 20;

/** Each line in lines of at most so many characters; what follows stands under the text of the first one, in a row under its right column. */
export function wrapped(text: string, width: number): string {
  return text
    .split('\n')
    .map((line) => (line.length <= width ? line : wrappedLine(line, width)))
    .join('\n');
}

function wrappedLine(line: string, width: number): string {
  // a row has its columns two blanks apart
  const head = /^ +\S(?:.*?\S)? {2,}(?=\S)/.exec(line)?.[0] ?? /^ */.exec(line)?.[0] ?? '';
  const margin = ' '.repeat(head.length + LEAST_WIDTH <= width ? head.length : 4);
  const lines: string[] = [];
  let now = head;
  for (const word of line.slice(head.length).split(' ')) {
    const isFirst = now === head || now === margin;
    if (!isFirst && now.length + 1 + word.length > width) {
      lines.push(now);
      now = margin + word;
    } else now += isFirst ? word : ` ${word}`;
  }
  return [...lines, now].join('\n');
}
