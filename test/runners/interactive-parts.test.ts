import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { factOfHook, factOfLine } from '../../runners/agent-record.ts';
import { openCopier } from '../../runners/copy-transcript.ts';
import { createDelivery, DELIVERY_LIMITS } from '../../runners/deliver.ts';
import { typedForm } from '../../runners/deliver-claude.ts';
import { holds, inputBox, worksByTitle } from '../../runners/input-box.ts';
import { hookSettings } from '../../runners/interactive-argv.ts';
import { createInteractiveState } from '../../runners/interactive-state.ts';
import { openTold, prepareTold } from '../../runners/told.ts';
import { readLine } from '../../runners/transcript.ts';
import { idOf, message } from './interactive-rig.ts';
import { realClock } from './rig.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "parts it's #{x} %H-"));
});
afterAll(() => rm(root, { recursive: true }));

describe('the hook of Claude Code', () => {
  const lines = Array.from({ length: 24 }, (_, at) => JSON.stringify({ at, text: 'x'.repeat(at % 3 === 0 ? 300_000 : 100) }));

  /** The command in the settings of a run, with this to read. Answers with what it printed, once it has ended well. */
  async function hooked(folder: string, line: string, searchPath = process.env.PATH): Promise<string> {
    const script = path.join(root, 'hook.sh');
    const settings = JSON.parse(hookSettings(script, folder));
    const { command } = settings.hooks.Stop[0].hooks[0];
    const hook = spawn('/bin/sh', ['-c', command], { env: { PATH: searchPath } });
    let printed = '';
    for (const stream of [hook.stdout, hook.stderr]) {
      stream.on('data', (chunk) => {
        printed += chunk;
      });
    }
    hook.stdin.on('error', () => {});
    hook.stdin.end(line);
    expect(await once(hook, 'close')).toEqual([0, null]);
    return printed;
  }

  beforeAll(async () => {
    await writeFile(path.join(root, 'hook.sh'), await readFile(path.resolve(import.meta.dirname, '../../runners/hook.sh')));
    // as small systems have it
    await mkdir(path.join(root, 'bin'));
    const refuses = `#!/bin/sh\ncase "$*" in *unblock*) exit 1 ;; esac\nexec /bin/dd "$@"\n`;
    await writeFile(path.join(root, 'bin', 'dd'), refuses, { mode: 0o755 });
  });

  it.each([
    ['', undefined],
    [', also with a dd that cannot end a line', 'bin'],
  ])('adds whole lines, however long and however many at once, whatever its path looks like%s', async (_, bin) => {
    const folder = path.join(root, `hooks of ${bin}`);
    await mkdir(folder);
    const searchPath = bin === undefined ? process.env.PATH : `${path.join(root, bin)}:${process.env.PATH}`;
    const printed = await Promise.all(lines.map((line) => hooked(folder, line, searchPath)));
    expect(printed.join('')).toBe('');
    const written = (await readFile(path.join(folder, 'hooks'), 'utf8')).split('\n').filter(Boolean);
    expect(written.sort()).toEqual([...lines].sort());
    expect(await readdir(folder)).toEqual(['hooks']);
  });

  it('harms nobody when the folder of its run is gone', async () => {
    expect(await hooked(path.join(root, 'gone'), 'x'.repeat(1_000_000))).toBe('');
  });
});

const RULE = '─'.repeat(40);
const boxed = (...rows: string[]) => ['● said', '❯ an earlier prompt', RULE, ...rows, RULE, '  ? for shortcuts', ''].join('\n');

describe('the screen of Claude Code', () => {
  it('has an input box that is empty, or shows a placeholder, or holds text', () => {
    expect(inputBox(boxed('\x1b[39m❯\u00a0\x1b[7m \x1b[0m'))).toEqual({ kind: 'empty', text: '' });
    const placeholder = '\x1b[38;5;246m❯\u00a0\x1b[7m\x1b[39mP\x1b[0;2mress\x1b[0m \x1b[2mup\x1b[0m \x1b[2mto edit\x1b[0m';
    expect(inputBox(boxed(placeholder)).kind).toBe('empty');
    expect(inputBox(boxed('❯\u00a0\x1b[7mh\x1b[0m\x1b[39mey'))).toEqual({ kind: 'text', text: 'hey' });
    expect(inputBox(boxed('❯\u00a0one', '  two\x1b[7m \x1b[0m'))).toEqual({ kind: 'text', text: 'one\ntwo' });
    expect(inputBox(boxed('!\u00a0\x1b[7m \x1b[0m')).kind).toBe('text');
  });

  it('has none while a dialog is open', () => {
    expect(inputBox([RULE, ' ☐ H', 'Which?', '❯ 1. A', '  2. B', RULE, 'Esc to cancel'].join('\n')).kind).toBe('none');
    expect(inputBox([RULE, ' Bash command', ' Do you want to proceed?', ' ❯ 1. Yes', '   2. No'].join('\n')).kind).toBe('none');
    expect(inputBox('').kind).toBe('none');
  });

  it('shows whether the box holds what was pasted and nothing else', () => {
    const text = (shown: string) => ({ kind: 'text' as const, text: shown });
    expect(holds(text('a line that\nwraps'), 'a line that wraps')).toBe(true);
    expect(holds(text('[Pasted text #2 +1023 lines]'), 'anything')).toBe(true);
    expect(holds(text('hey[Pasted text #2 +1023 lines]'), 'anything')).toBe(false);
    expect(holds(text('heya line'), 'a line')).toBe(false);
    expect(holds({ kind: 'empty', text: '' }, '')).toBe(false);
    expect(['⠂ Claude', '◐ Claude', '◑ Claude', '✳ Claude', 'bash'].map(worksByTitle)).toEqual([
      true,
      true,
      true,
      false,
      undefined,
    ]);
  });

  it('never gets words that would be a command', () => {
    expect(['!ls', '/exit', 'ends \\', 'see @file', '\x1b[201~x'].map(typedForm)).toEqual([
      ' !ls ',
      ' /exit ',
      'ends \\ ',
      'see @file ',
      ' [201~x ',
    ]);
  });
});

describe('how an interactive agent stands', () => {
  const NO_BOX = { kind: 'none', text: '' } as const;
  const hook = (name: string, more: object = {}) => factOfHook(JSON.stringify({ hook_event_name: name, ...more }));
  const stateAfter = (...facts: (ReturnType<typeof hook> | ((state: ReturnType<typeof createInteractiveState>) => void))[]) => {
    const state = createInteractiveState();
    for (const fact of facts) {
      if (typeof fact === 'function') fact(state);
      else if (fact) state.take(fact, 'hooks');
    }
    return state;
  };
  const standing = (...facts: Parameters<typeof stateAfter>) => stateAfter(...facts).state;

  it('is at its prompt after it was broken off, also where its transcript tells that late', () => {
    const state = stateAfter(hook('SessionStart'), hook('PermissionRequest', { tool_name: 'Bash' }));
    for (const _ of [1, 2]) state.saw(false, { kind: 'empty', text: '' }, '');
    expect(state.state).toBe('unknown');
    state.take({ kind: 'interrupted' }, 'out');
    expect(state.state).toBe('prompt');
  });

  it('goes on with what it had put aside, of which its transcript alone tells, and only until it rests after that', () => {
    const state = stateAfter(hook('SessionStart'), hook('UserPromptSubmit', { prompt: 'x', prompt_id: 'p1' }));
    const row = (promptId: string, promptSource: string) => {
      const fact = factOfLine(JSON.stringify({ type: 'user', promptId, promptSource, message: { content: 'y' } }));
      if (fact) state.take(fact, 'out');
      return state.state;
    };
    const heard = (...facts: ReturnType<typeof hook>[]) => {
      for (const fact of facts) if (fact) state.take(fact, 'hooks');
      return state.state;
    };
    // put aside in the last moment of a turn, under its key: told behind its end
    const aside = hook('UserPromptSubmit', { prompt: 'y', prompt_id: 'p1' });
    expect(heard(aside, hook('Stop', { prompt_id: 'p1' }), aside)).toBe('prompt');
    expect(row('p1', 'typed')).toBe('prompt');
    expect(row('p2', 'queued')).toBe('works');
    expect(heard(hook('Stop', { prompt_id: 'p2' }))).toBe('prompt');
    expect(heard(hook('Stop', { prompt_id: 'p3' }))).toBe('prompt');
    expect(row('p3', 'queued')).toBe('prompt');
    // one turn for several that were put aside ends under the key of one of them
    expect(row('p4', 'queued')).toBe('works');
    for (const _ of [1, 2]) state.saw(false, { kind: 'empty', text: '' }, '');
    expect(state.state).toBe('prompt');
  });

  it('is told by its hooks', () => {
    expect(standing()).toBe('starting');
    expect(standing(hook('SessionStart'))).toBe('prompt');
    expect(standing(hook('SessionStart'), hook('UserPromptSubmit', { prompt: 'x' }))).toBe('works');
    expect(standing(hook('SessionStart'), hook('UserPromptSubmit'), hook('PermissionRequest', { tool_name: 'Bash' }))).toBe(
      'permission',
    );
    expect(standing(hook('SessionStart'), hook('UserPromptSubmit'), hook('Stop'))).toBe('prompt');
    // compacting happens in the middle of something
    expect(standing(hook('SessionStart'), hook('UserPromptSubmit'), hook('SessionStart', { source: 'compact' }))).toBe('works');
  });

  it('tells at its prompt what it said last, until it works again', () => {
    const begun = [hook('SessionStart'), hook('UserPromptSubmit')];
    const said = hook('Stop', { last_assistant_message: 'Done.' });
    expect(stateAfter(hook('SessionStart')).text).toBeUndefined();
    expect(stateAfter(...begun, said).text).toBe('Done.');
    expect(stateAfter(...begun, said, hook('Notification', { notification_type: 'idle_prompt' })).text).toBe('Done.');
    expect(stateAfter(...begun, said, hook('UserPromptSubmit')).text).toBeUndefined();
    expect(stateAfter(...begun, said, hook('UserPromptSubmit'), hook('Stop')).text).toBeUndefined();
    expect(stateAfter(...begun, hook('Stop', { last_assistant_message: 'x'.repeat(30_000) })).text).toHaveLength(20_000);
  });

  it('is said to be unknown, never idle, when only the screen says that it does not work', () => {
    const asleep = (state: ReturnType<typeof createInteractiveState>) => {
      state.saw(false, { kind: 'empty', text: '' }, '');
      state.saw(false, { kind: 'empty', text: '' }, '');
    };
    expect(standing(hook('SessionStart'), hook('UserPromptSubmit'), asleep)).toBe('unknown');
    expect(standing(hook('SessionStart'), hook('UserPromptSubmit'), asleep, (state) => state.saw(true, NO_BOX, ''))).toBe(
      'works',
    );
    expect(standing(hook('SessionStart'), hook('PermissionRequest'), (state) => state.saw(false, NO_BOX, 'a dialog'))).toBe(
      'permission',
    );
    expect(standing(hook('SessionStart'), hook('UserPromptSubmit'), { kind: 'interrupted' }, asleep)).toBe('prompt');
  });

  it('asks until that is answered: a tool beside it, and the title of the moment before, are no answer', () => {
    const works = (state: ReturnType<typeof createInteractiveState>) => state.saw(true, NO_BOX, '');
    const answered = (isAsking: boolean) => (state: ReturnType<typeof createInteractiveState>) =>
      state.take({ kind: 'works', said: undefined }, 'out', isAsking);
    const asks = [hook('SessionStart'), hook('UserPromptSubmit'), hook('PermissionRequest')];
    expect(standing(...asks, answered(true))).toBe('permission');
    expect(standing(...asks, answered(false))).toBe('works');
    expect(standing(...asks, works)).toBe('permission');
    expect(standing(...asks, works, works)).toBe('works');
  });
});

describe('what was said to a run', () => {
  it('is read back as it was written, and said once', async () => {
    prepareTold(root, [message(1, 'one'), message(2, 'two', 'interrupt')]);
    const told = openTold(root);
    expect(told.say(message(1, 'again'))).toBe(false);
    expect(told.say(message(3, 'three'))).toBe(true);
    told.step(idOf(1), { state: 'pasting', seen: { hooks: 3, out: 4 }, tries: 1 });
    told.step(idOf(1), { state: 'received' });
    told.step(idOf(2), { state: 'undelivered', reason: 'why' });
    await appendFile(path.join(root, 'told'), '{"torn');
    expect(openTold(root).all()).toEqual(told.all());
    expect(told.all().map(({ state }) => state)).toEqual(['received', 'undelivered', 'said']);
  });

  it('is written whole behind a line that a full disk or a kill tore', async () => {
    const folder = await mkdtemp(path.join(root, 'torn-'));
    prepareTold(folder, [message(1, 'one')]);
    await appendFile(path.join(folder, 'told'), '{"promptId":"');
    openTold(folder).step(idOf(1), { state: 'pasting' });
    expect(openTold(folder).all()).toMatchObject([{ promptId: idOf(1), state: 'pasting' }]);
  });
});

describe('evidence that a message was received', () => {
  const UNUSED = async (): Promise<undefined> => undefined;
  const pane = {
    session: 's',
    open: UNUSED,
    look: UNUSED,
    paste: async () => true,
    press: async () => true,
    detach: async () => 0,
    close: UNUSED,
  };
  const openDelivery = async (...texts: string[]) => {
    const folder = await mkdtemp(path.join(root, 'told-'));
    prepareTold(
      folder,
      texts.map((text, at) => message(at, text)),
    );
    const told = openTold(folder);
    const scene = {
      pane,
      agent: createInteractiveState(),
      told,
      clock: realClock,
      limits: DELIVERY_LIMITS,
      seen: () => ({ hooks: 0, out: 0 }),
    };
    const delivery = createDelivery(scene, async () => {});
    const states = () => told.all().map(({ state }) => state);
    return { told, delivery, states };
  };
  const enqueued = (text: string, key: string) => ({ kind: 'enqueued', text, key }) as const;
  const prompted = (text: string, key: string) => ({ kind: 'prompt', text, key }) as const;

  it('is the same prompt once, whoever tells of it first', async () => {
    const { told, delivery, states } = await openDelivery('go', 'go');
    told.step(idOf(0), { state: 'pasting', seen: { hooks: 0, out: 0 } });
    delivery.evidence(prompted('go', 'first'), 'hooks', 10);
    told.step(idOf(1), { state: 'pasting', seen: { hooks: 20, out: 0 } });
    delivery.evidence(prompted('go', 'first'), 'out', 50);
    expect(states()).toEqual(['received', 'pasting']);
    delivery.evidence(prompted(' go ', 'second'), 'hooks', 20);
    expect(states()).toEqual(['received', 'received']);
  });

  it('does not come from before it was pasted, nor from other words', async () => {
    const { told, delivery, states } = await openDelivery('go');
    delivery.evidence(prompted('go', 'a'), 'hooks', 0);
    told.step(idOf(0), { state: 'pasting', seen: { hooks: 30, out: 30 } });
    delivery.evidence(prompted('go', 'b'), 'hooks', 29);
    delivery.evidence(prompted('go on', 'c'), 'hooks', 31);
    expect(states()).toEqual(['pasting']);
  });

  it('comes in two steps while the agent works, also for equal words', async () => {
    const { told, delivery, states } = await openDelivery('go', 'go');
    for (const number of [0, 1]) {
      told.step(idOf(number), { state: 'entering', seen: { hooks: 0, out: 0 } });
      delivery.evidence(enqueued('go', `queue ${number}`), 'out', number);
    }
    expect(states()).toEqual(['queued', 'queued']);
    delivery.evidence(prompted('go', 'attachment'), 'out', 5);
    expect(states()).toEqual(['received', 'queued']);
    delivery.end();
    expect(states()).toEqual(['received', 'undelivered']);
  });
});

describe('a transcript', () => {
  const line = (record: object) => JSON.stringify({ sessionId: 's', ...record });

  it('becomes entries where something was said, and none where it keeps house', () => {
    const said = [
      line({ type: 'user', message: { content: 'hello' } }),
      line({ type: 'assistant', message: { content: [{ type: 'text', text: 'hi' }] } }),
      line({ type: 'attachment', attachment: { type: 'queued_command', prompt: 'and this' } }),
    ].flatMap((text) => readLine(text, 'stream-json').entries);
    expect(said.map(({ kind, text }) => [kind, text])).toEqual([
      ['prompt', 'hello'],
      ['text', 'hi'],
      ['prompt', 'and this'],
    ]);
    const house = [
      line({ type: 'mode' }),
      line({ type: 'permission-mode' }),
      line({ type: 'last-prompt' }),
      line({ type: 'queue-operation', operation: 'enqueue', content: 'and this' }),
      line({ type: 'system', subtype: 'turn_duration' }),
      line({ type: 'attachment', attachment: { type: 'skill_listing' } }),
      line({ type: 'user', isMeta: true, message: { content: 'caveat' } }),
      JSON.stringify({ type: 'file-history-snapshot', messageId: 'm', snapshot: {} }),
    ];
    expect(house.flatMap((text) => readLine(text, 'stream-json').entries)).toEqual([]);
    expect(house.map(factOfLine).filter((fact) => fact && fact.kind !== 'enqueued')).toEqual([]);
  });

  it('is copied on by the next copier at the right byte, also through several files', async () => {
    const folder = await mkdtemp(path.join(root, 'copy-'));
    const [first, second] = [path.join(folder, 'a.jsonl'), path.join(folder, 'b.jsonl')];
    const old = `${line({ type: 'user', timestamp: '2020-01-01T00:00:00.000Z', uuid: 'u' })}\n`;
    const fresh = `${line({ type: 'user', timestamp: '2030-01-01T00:00:00.000Z', uuid: 'u' })}\n`;
    let now = 0;
    const copied = async (steps: (copier: Awaited<ReturnType<typeof openCopier>>) => void) => {
      const copier = await openCopier(folder, () => now);
      steps(copier);
      now += 1000;
      while (await copier.copy());
      return readFile(path.join(folder, 'out'), 'utf8').catch(() => '');
    };
    const since = Date.parse('2025-01-01');
    const begin = (copier: Awaited<ReturnType<typeof openCopier>>) => copier.begins(first, false, since);
    await writeFile(first, old);
    expect(await copied(begin)).toBe('');
    await appendFile(first, `${fresh}half of`);
    expect(await copied(begin)).toBe(`${fresh}half of`);
    await appendFile(first, ' a line\n');
    expect(await copied(begin)).toBe(`${fresh}half of a line\n`);
    await writeFile(second, 'new\n');
    const copier = await openCopier(folder, () => now);
    begin(copier);
    copier.begins(second, true, since);
    now += 1000;
    while (await copier.copy());
    await appendFile(second, 'more\n');
    const both = await copied((next) => {
      begin(next);
      next.begins(second, true, since);
    });
    expect(both).toBe(`${fresh}half of a line\nnew\nmore\n`);
  });

  it('is copied on although the note of its beginning was torn', async () => {
    const folder = await mkdtemp(path.join(root, 'copy-'));
    const file = path.join(folder, 'a.jsonl');
    await writeFile(file, 'one\n');
    await writeFile(path.join(folder, 'parts'), '\n{"file":"');
    for (const text of ['one\n', 'one\ntwo\n']) {
      const copier = await openCopier(folder, () => 0);
      copier.begins(file, true, 0);
      while (await copier.copy());
      expect(await readFile(path.join(folder, 'out'), 'utf8')).toBe(text);
      await appendFile(file, 'two\n');
    }
  });
});
