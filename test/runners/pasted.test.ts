import { describe, expect, it } from 'vitest';
import { factOfHook, factOfLine } from '../../runners/agent-record.ts';
import { withoutPasteMarks } from '../../runners/pasted.ts';
import { readLine } from '../../runners/transcript.ts';

const marked = (text: string, id = '5f63') => `<pasted_content id="${id}">${text}</pasted_content id="${id}">`;

describe('what was pasted into Claude Code', () => {
  it.each([
    [`\n\n${marked('0 x\n1 y \n')}\n`, '0 x\n1 y '],
    [marked('\n !touch ran\n\n\tthird \\ \n'), ' !touch ran\n\n\tthird \\ '],
    [`before ${marked('\none\n')} between ${marked('two', 'a1')} after`, 'before one between two after'],
    // words that look like marks come with a backslash, also where nothing was pasted
    [marked('\na <\\pasted_content id="1">x<\\/pasted_content> b\n'), 'a <pasted_content id="1">x</pasted_content> b'],
    ['see <\\/pasted_content>', 'see </pasted_content>'],
    // closed under another id: words
    ['<pasted_content id="1">x</pasted_content id="2">', '<pasted_content id="1">x</pasted_content id="2">'],
    ['nothing of the kind <b>', 'nothing of the kind <b>'],
  ])('is read without its marks: %j', (text, words) => {
    expect(withoutPasteMarks(text)).toBe(words);
  });

  it('stands without them in the facts of its records and in the log of its session', () => {
    const prompt = marked('\ngo on\n');
    const facts = [
      factOfHook(JSON.stringify({ hook_event_name: 'UserPromptSubmit', prompt })),
      factOfLine(JSON.stringify({ type: 'user', sessionId: 's', message: { role: 'user', content: prompt } })),
      factOfLine(JSON.stringify({ type: 'queue-operation', operation: 'enqueue', content: prompt })),
      factOfLine(JSON.stringify({ type: 'attachment', attachment: { type: 'queued_command', prompt } })),
    ];
    expect(facts).toMatchObject(facts.map(() => ({ text: 'go on' })));
    const lines = [
      { type: 'user', sessionId: 's', message: { role: 'user', content: prompt } },
      { type: 'attachment', sessionId: 's', attachment: { type: 'queued_command', prompt } },
    ];
    expect(lines.flatMap((line) => readLine(JSON.stringify(line), 'stream-json').entries)).toEqual(
      lines.map(() => ({ kind: 'prompt', text: 'go on' })),
    );
    // what the agent itself says of such marks stays
    const said = { type: 'assistant', message: { content: [{ type: 'text', text: prompt }] } };
    expect(readLine(JSON.stringify(said), 'stream-json').entries).toEqual([{ kind: 'text', text: prompt }]);
  });
});
