// Templates: text with `{{variables}}` and sections, read once into parts. What is put in for a variable is data and is never looked at again.
//
//   {{task.title}}                 the value, or nothing where there is none
//   {{#parent.id}} … {{/parent.id}}   only where there is a value
//   {{^history}} … {{/history}}       only where there is none
//   \{{                            two braces as they are
//
// There is nothing else: no code, no loops, and no template in a template.

export type Part =
  | { readonly text: string }
  | { readonly variable: string }
  | { readonly section: string; readonly isInverted: boolean; readonly parts: readonly Part[] };

export interface TemplateProblem {
  /** Where in the template, in characters from its start. */
  readonly at: number;
  readonly message: string;
}

/** How deep sections may lie in each other. */
const MAX_DEPTH = 10;
const MAX_TAGS = 2000;
const NAME = /^[A-Za-z_][\w-]*(?:\.[\w-]+){0,8}$/;

interface Open {
  readonly section: string;
  readonly isInverted: boolean;
  readonly at: number;
  readonly parts: Part[];
}

/** The parts of a template, or the first thing that is wrong with it. `check` says what is wrong with the name of a variable, if anything. */
export function readTemplate(
  text: string,
  check: (name: string) => string | undefined,
): { readonly parts: readonly Part[] } | { readonly problem: TemplateProblem } {
  const root: Open = { section: '', isInverted: false, at: 0, parts: [] };
  const open: Open[] = [root];
  let tags = 0;
  let from = 0;
  const top = () => open.at(-1) ?? root;
  const add = (part: string) => void (part !== '' && top().parts.push({ text: part }));
  const wrong = (at: number, message: string) => ({ problem: { at, message } });

  for (;;) {
    const at = text.indexOf('{{', from);
    if (at < 0) break;
    if (text[at - 1] === '\\' && at > from) {
      add(`${text.slice(from, at - 1)}{{`);
      from = at + 2;
      continue;
    }
    const end = text.indexOf('}}', at + 2);
    if (end < 0) return wrong(at, 'The braces {{ are not closed; write \\{{ where they are meant as they are.');
    tags += 1;
    if (tags > MAX_TAGS) return wrong(at, `There are more than ${MAX_TAGS} variables.`);
    const inner = text.slice(at + 2, end).trim();
    const sign = /^[#^/>&!{=]/.exec(inner)?.[0];
    const name = (sign === undefined ? inner : inner.slice(1)).trim();
    if (sign === '>') return wrong(at, 'A template cannot include another, nor itself.');
    if (sign !== undefined && !'#^/'.includes(sign))
      return wrong(at, `{{${sign} is nothing that a template can hold; it has {{name}}, {{#name}}, {{^name}} and {{/name}}.`);
    if (!NAME.test(name)) return wrong(at, 'Between {{ and }} stands the name of a variable, such as task.title.');
    if (sign === undefined || sign === '#' || sign === '^') {
      const strange = check(name);
      if (strange !== undefined) return wrong(at, strange);
    }
    if (sign === undefined) {
      add(text.slice(from, at));
      top().parts.push({ variable: name });
      from = end + 2;
      continue;
    }
    // a line that holds nothing but the mark of a section is no line of the text
    const alone = aloneOn(text, at, end + 2, from);
    add(text.slice(from, alone?.start ?? at));
    from = alone?.end ?? end + 2;
    if (sign === '/') {
      const closed = open.length > 1 ? open.pop() : undefined;
      if (closed?.section !== name)
        return wrong(at, `{{/${name}}} closes a section that is not open${closed ? `; {{/${closed.section}}} is due` : ''}.`);
      top().parts.push({ section: closed.section, isInverted: closed.isInverted, parts: closed.parts });
    } else {
      if (open.length > MAX_DEPTH) return wrong(at, `Sections lie deeper than ${MAX_DEPTH} levels in each other.`);
      open.push({ section: name, isInverted: sign === '^', at, parts: [] });
    }
  }
  const left = open.length > 1 ? open.at(-1) : undefined;
  if (left) return wrong(left.at, `The section {{#${left.section}}} is not closed.`);
  add(text.slice(from));
  return { parts: root.parts };
}

/** The text that the parts become, or undefined when it would have more than `most` characters. */
export function renderTemplate(parts: readonly Part[], textOf: (name: string) => string, most: number): string | undefined {
  const pieces: string[] = [];
  let length = 0;
  const write = (some: readonly Part[]): boolean =>
    some.every((part) => {
      if ('section' in part) return (textOf(part.section) === '') === part.isInverted ? write(part.parts) : true;
      const piece = 'text' in part ? part.text : textOf(part.variable);
      length += piece.length;
      pieces.push(piece);
      return length <= most;
    });
  return write(parts) ? pieces.join('') : undefined;
}

/** Names of all variables that the parts hold. */
export function variablesOf(parts: readonly Part[]): readonly string[] {
  return parts.flatMap((part) =>
    'text' in part ? [] : 'variable' in part ? [part.variable] : [part.section, ...variablesOf(part.parts)],
  );
}

/** The whole line around a mark, its line end included, when nothing else stands on it. */
function aloneOn(
  text: string,
  at: number,
  end: number,
  from: number,
): { readonly start: number; readonly end: number } | undefined {
  let start = at;
  while (start > from && (text[start - 1] === ' ' || text[start - 1] === '\t')) start -= 1;
  if (start > 0 && text[start - 1] !== '\n') return undefined;
  let after = end;
  while (text[after] === ' ' || text[after] === '\t') after += 1;
  if (text[after] === '\r') after += 1;
  if (after >= text.length) return { start, end: after };
  return text[after] === '\n' ? { start, end: after + 1 } : undefined;
}
