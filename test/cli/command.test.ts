// Commands derived from tools: what a command line means, and what help says.
import { describe, expect, it } from 'vitest';
import { COMMANDS, inCommands, parseCommand } from '../../cli/command.ts';
import { commandHelp, overview } from '../../cli/help.ts';
import { wrapped } from '../../cli/wrap.ts';
import { TOOLS } from '../../tools/index.ts';
import { sessionStart, startRequestOf } from '../../tools/session-start.ts';

function command(words: string) {
  const found = COMMANDS.find((one) => one.words.join(' ') === words);
  if (!found) throw new Error(`There is no command "${words}".`);
  return found;
}
const input = (words: string, ...args: string[]) => parseCommand(command(words), args).input;

describe('a command line', () => {
  it('is there for every tool, and for the old names', () => {
    for (const { name } of TOOLS.filter(({ toolset }) => toolset !== 'session'))
      expect(COMMANDS.map(({ words }) => words.join('_'))).toContain(name);
    expect(command('autonomous start').tool.name).toBe('session_start');
  });

  it('takes arguments, flags, numbers, switches and lists', () => {
    expect(
      input('session start', 'fix-login', '--priority=high', '--no-queue', '--timeout-seconds', '60', '--max-cost-usd=0.5'),
    ).toEqual({
      taskId: 'fix-login',
      priority: 'high',
      queue: false,
      timeoutSeconds: 60,
      maxCostUsd: 0.5,
    });
    expect(input('session wait', 'a', 'b', '--until=all')).toEqual({ sessionIds: ['a', 'b'], until: 'all' });
    expect(input('session logs', 'a', '--kinds=text,error', '--kinds=result', '--tail=5')).toEqual({
      sessionId: 'a',
      kinds: ['text', 'error', 'result'],
      tail: 5,
    });
    expect(input('session start', '--prompt', '--not a flag'.slice(2), '--agent=demo')).toEqual({
      prompt: 'not a flag',
      agent: 'demo',
    });
  });

  it('makes a worktree of its own with the switch alone, and on a branch where one is named', () => {
    const request = (...args: string[]) =>
      startRequestOf(sessionStart.input.parse(input('session start', ...args)), undefined).worktree;
    expect(request('--worktree', 'fix-login')).toBe(true);
    expect(request('fix-login', '--worktree')).toBe(true);
    expect(request('--worktree=true')).toBe(true);
    expect(request('--worktree=feature/heron')).toBe('feature/heron');
    expect(request('--no-worktree')).toBe(false);
    expect(input('session start', '--', '--worktree')).toEqual({ taskId: '--worktree' });
    expect(commandHelp(command('session start'))).toContain('--worktree, --worktree=…');
  });

  it('takes a value with commas of its own as one', () => {
    expect(input('session config', '--settings=queue.retryPolicy.retryOn=["lost","timeout"]')).toEqual({
      settings: ['queue.retryPolicy.retryOn=["lost","timeout"]'],
    });
  });

  it('takes the flags that all commands have', () => {
    expect(parseCommand(command('session list'), ['--format=json', '--workspace=/w'])).toMatchObject({
      format: 'json',
      workspace: '/w',
      follow: false,
      help: false,
    });
    for (const words of [['--help'], ['-h'], ['a', 'b', '-h']])
      expect(parseCommand(command('session list'), words).help).toBe(true);
  });

  it.each([
    ['--follow', ['autonomous logs', 'autonomous start', 'event list', 'session logs', 'session start']],
    ['--print', ['session attach']],
  ])('takes and offers %s where it does something alone', (flag, words) => {
    const isTaken = (one: (typeof COMMANDS)[number]) => {
      try {
        return parseCommand(one, [...one.tool.positional.map(() => 'word'), flag]) !== undefined;
      } catch {
        return false;
      }
    };
    const offers = COMMANDS.filter((one) => new RegExp(`^ +${flag}\\b`, 'm').test(commandHelp(one)));
    for (const found of [COMMANDS.filter(isTaken), offers]) expect(found.map((one) => one.words.join(' ')).sort()).toEqual(words);
  });

  it.each([
    [['session list', '--follow'], 'Unknown option "--follow".'],
    [['session start', '--priorty=high'], 'Did you mean "--priority"?'],
    [['session start', '--timeout-seconds=soon'], '"--timeout-seconds" must be a number, not "soon".'],
    [['session logs'], '<sessionId> is missing. Usage: sc session logs <sessionId> [options]'],
    [['session wait', '--until=all'], '<sessionIds…> is missing. Usage: sc session wait <sessionIds…> [options]'],
    [['request answer', 's.1'], '<decision> is missing.'],
    [['session start', '--no-queu'], 'Unknown option "--no-queu". Did you mean "--no-queue"?'],
    [['session start', '--no-modle'], 'Did you mean "--model"?'],
    [
      ['session start', 'fix-login', '--worktree', 'feature/x'],
      '"feature/x" is one argument too many; did you mean --worktree=feature/x?',
    ],
    [['session get', 'a', 'b'], '"b" is one argument too many'],
    [['session list', '--format=xml'], '"--format" must be table or json, not "xml".'],
    [['session list', '--limit'], '"--limit" needs a value.'],
    [['session logs', 'a', '--follow', '--limit=3'], '"--limit" does not go with "--follow"'],
    [['session list', '--limit', '--help'], '"--limit" needs a value.'],
    [['session start', '--queue=yes'], '"--queue" takes no value.'],
    [['session list', '--help=yes'], '"--help" takes no value.'],
  ])('%j is refused', ([words = '', ...args], message) => {
    expect(() => parseCommand(command(words), args)).toThrow(message);
  });
});

describe('help', () => {
  it('is broken at blanks to the width of a terminal, a row under its right column', () => {
    for (const width of [30, 60, 80, 120])
      for (const text of [overview(), ...COMMANDS.map(commandHelp)]) {
        const lines = wrapped(text, width).split('\n');
        // a word, or the left column of a row, may be longer
        for (const line of lines) if (line.length > width) expect(line).toMatch(/^ *\S+$|^ {2}\S.* {2}\S+$/);
        expect(lines.join(' ').replace(/\s+/g, ' ')).toBe(text.replace(/\s+/g, ' '));
      }
    expect(wrapped('  status  The hub of this workspace.', 30)).toBe('  status  The hub of this\n          workspace.');
  });

  it('shows every command with its first sentence', () => {
    const text = overview();
    for (const { name } of TOOLS.filter(({ toolset }) => toolset !== 'session'))
      expect(text).toContain(`  ${name.replace('_', ' ')} `);
    expect(text).toContain('doctor');
  });

  it('explains a command with all of its flags, values and defaults', () => {
    const text = commandHelp(command('session start'));
    expect(text).toContain('Usage: sc session start [taskId] [options]');
    expect(text).toContain('--priority=lowest|low|medium|high|highest');
    expect(text).toContain('--queue, --no-queue');
    expect(commandHelp(command('session wait'))).toMatch(/^ {2}<sessionIds…> /m);
  });

  it('speaks of commands where tools are meant', () => {
    expect(inCommands('Call task_list, or `session_wait`; session_ask and task_id are none.')).toBe(
      'Call `sc task list`, or `sc session wait`; session_ask and task_id are none.',
    );
    for (const one of COMMANDS) {
      const told = [...commandHelp(one).matchAll(/\b[a-z]+_[a-z]+\b/g)].map(([name]) => name);
      expect(told.filter((name) => TOOLS.some((tool) => tool.name === name && tool.toolset !== 'session'))).toEqual([]);
    }
  });
});
