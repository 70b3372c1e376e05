// The examples of docs/prompts.md, each read and asked what it says.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { MOMENTS, OPERATORS } from '../../core/rules.ts';
import { channelcoderKeys } from '../../docs/prompt-file-schema.ts';
import { createRuleBook } from '../../prompts/library.ts';
import { RuleFields } from '../../prompts/rule-schema.ts';
import { textOfJson } from '../../prompts/rule-text.ts';
import { VARIABLES } from '../../prompts/variables.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { memoryRuleFiles } from '../support/memory-rules.ts';
import { PROJECT } from '../support/project.ts';
import { problemsIn, ruleIn, situationOf } from '../support/situations.ts';

const page = await readFile(path.join(PROJECT, 'docs', 'prompts.md'), 'utf8');
const blocks = [...page.matchAll(/^```([\w-]+)\n([\s\S]*?)^```$/gm)].map(([, language = '', text = '']) => ({ language, text }));
const of = (language: string) => blocks.filter((block) => block.language === language).map(({ text }) => text);

const Asked = z.looseObject({
  title: z.string().default('A task'),
  body: z.string().default(''),
  moment: z.enum(MOMENTS).default('start'),
  session: z.looseObject({}).default({}),
  args: z.record(z.string(), z.string()).default({}),
});

/** Each question with all rules of the page before it, and the answer that the page gives. */
const questions = blocks.flatMap(({ language, text }, at) => {
  if (language !== 'yaml') return [];
  const answer = blocks[at + 1];
  const rules = blocks.slice(0, at).flatMap((block) => (block.language === 'markdown' ? [block.text] : []));
  return [{ asked: Asked.parse(parse(text)), rules, answer: answer?.language === 'text' ? answer.text : '' }];
});

describe('docs/prompts.md', () => {
  it('has rules, questions and answers', () => {
    expect(of('markdown').length).toBeGreaterThanOrEqual(6);
    expect(questions.length).toBeGreaterThanOrEqual(5);
  });

  it.each(of('markdown').map((text) => [text.split('\n')[1] ?? '', text]))(
    'shows a rule that can be read: %s',
    (_first, text) => {
      expect(problemsIn(text)).toEqual([]);
    },
  );

  it.each(questions.map((one) => [one.asked.title, one] as const))(
    'tells what is said of: %s',
    async (_title, { asked, rules, answer }) => {
      const files = new Map(rules.map((text, at) => [`rule-${at}.md`, text]));
      const book = createRuleBook({
        files: memoryRuleFiles(files),
        clock: fakeClock(),
        onError: (error) => expect.fail(String(error)),
      });
      await book.refresh();
      const { title, body, moment, session, args, ...fields } = asked;
      const plain = situationOf({ title, body, fields, moment, session });
      const situation = { ...plain, task: plain.task && { ...plain.task, id: 'a-task' } };
      const [chosen] = book.select(situation).matches;
      expect(chosen?.id).toBe(`rule-${rules.length - 1}`);
      expect(`${chosen && book.render(chosen, situation, args)}\n`).toBe(answer);
    },
  );

  it('shows the JSON form of a rule as the same rule', () => {
    const [json = ''] = of('json');
    const { rule } = ruleIn(textOfJson('bug-debugging-rule', json), 'bug-debugging-rule');
    const written = ruleIn(of('markdown')[0] ?? '', 'bug-debugging-rule').rule;
    expect(rule).toEqual(written);
  });

  it('shows what is said of a file that is skipped', () => {
    const at = blocks.findIndex(({ language }) => language === 'markdown-skipped');
    expect(`${problemsIn(blocks[at]?.text ?? '').join('\n')}\n`).toBe(blocks[at + 1]?.text);
  });

  it('names every key, operator, moment and variable, and none that there is not', () => {
    const named = new Set([...page.matchAll(/`([\w.<>]+)`/g)].map(([, word]) => word));
    const wanted = [...Object.keys(RuleFields.shape), ...OPERATORS, ...MOMENTS, ...VARIABLES];
    expect(wanted.filter((word) => !named.has(word))).toEqual([]);
    const variables = [...named].filter((word) => /^(?:task|session|parent)\.[a-zA-Z]+$/.test(word ?? ''));
    expect(variables.filter((word) => !VARIABLES.includes(word ?? ''))).toEqual([]);
  });

  it('takes every key that the prompt files of channelcoder may have', () => {
    const theirs = Object.keys(channelcoderKeys());
    expect(theirs).toContain('systemPrompt');
    expect(theirs.filter((key) => !(key in RuleFields.shape))).toEqual([]);
  });
});
