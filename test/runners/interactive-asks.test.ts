// What Claude Code asks in its terminal, answered from outside: the hook that waits for the answer, what the runner makes of it, and the real thing.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { factOfHook, factOfLine } from '../../runners/agent-record.ts';
import { openHookAsks, prepareAsks } from '../../runners/hook-asks.ts';
import { hookSettings } from '../../runners/interactive-argv.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { kill, processesLeft, processesMarked } from '../support/processes.ts';
import { type ClaudeRig, listen, message, openClaudeRig } from './interactive-rig.ts';
import { eventually } from './rig.ts';

const HOOK = path.resolve(import.meta.dirname, '../../runners/hook.sh');
const asked = (command: string) =>
  JSON.stringify({ hook_event_name: 'PermissionRequest', tool_name: 'Bash', tool_input: { command } });
const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), "asks it's #{x} %H-"));
});
afterAll(() => rm(root, { recursive: true }));

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(root, 'run-'));
  prepareAsks(folder);
  return folder;
}

describe('the hook that is told what is asked', () => {
  /** Runs it as Claude Code does; with a `parent` in between, which can be ended. */
  function hooked(folder: string, line: string, parent = false) {
    const { command } = JSON.parse(hookSettings(HOOK, folder)).hooks.PermissionRequest[0].hooks[0];
    const hook = parent
      ? spawn('/bin/sh', ['-c', '/bin/sh -c "$1" & echo $!; read -r _', 'parent', command], { stdio: 'pipe' })
      : spawn('/bin/sh', ['-c', command], { stdio: 'pipe' });
    let printed = '';
    for (const stream of [hook.stdout, hook.stderr])
      stream.on('data', (chunk) => {
        printed += chunk;
      });
    hook.stdin.on('error', () => {});
    if (!parent) hook.stdin.end(line);
    return { hook, over: once(hook, 'close').then(() => printed), printed: () => printed };
  }
  const linesOf = async (folder: string, count: number) =>
    eventually(async () => {
      // what has no line end yet is still being written
      const lines = (await readFile(path.join(folder, 'hooks'), 'utf8').catch(() => '')).split('\n').slice(0, -1);
      return lines.length === count ? lines : undefined;
    });
  const idIn = (line: string) => {
    const fact = factOfHook(line);
    return fact?.kind === 'asks' ? (fact.ask?.callId ?? '') : '';
  };

  it('writes it down behind an id of its own, waits, and prints the decision that was meant for it', async () => {
    const folder = await newFolder();
    const two = [hooked(folder, asked('ls')), hooked(folder, asked('x'.repeat(300_000)))];
    const lines = await linesOf(folder, 2);
    const ids = lines.map(idIn);
    expect(new Set(ids).size).toBe(2);
    expect(lines.map((line) => line.slice(line.indexOf('{'))).sort()).toEqual([asked('ls'), asked('x'.repeat(300_000))].sort());
    for (const id of ids) {
      // in one piece, as the hub does
      await writeFile(path.join(folder, 'asks', `${id}.new`), `${id}\n`);
      await rename(path.join(folder, 'asks', `${id}.new`), path.join(folder, 'asks', `${id}.answer`));
    }
    expect((await Promise.all(two.map(({ over }) => over))).sort()).toEqual(ids.map((id) => `${id}\n`).sort());
  });

  it('never takes an id that was there before', async () => {
    const folder = await newFolder();
    const { command } = JSON.parse(hookSettings(HOOK, folder)).hooks.PermissionRequest[0].hooks[0];
    // the same process id, as it may come again
    const hook = spawn('/bin/sh', ['-c', `true >'${path.basename(folder)}/asks/'$$; ${command}`.replace("'", "'../"), 'x'], {
      cwd: folder,
      stdio: 'pipe',
    });
    hook.stdin.end(asked('ls'));
    const [line = ''] = await linesOf(folder, 1);
    expect(idIn(line)).toBe(`${hook.pid}.`);
    await writeFile(path.join(folder, 'asks', `${hook.pid}.answer`), 'an older answer');
    await writeFile(path.join(folder, 'asks', `${hook.pid}..answer`), '');
    await once(hook, 'close');
  });

  it('leaves without a word when its folder is gone, or was never there', async () => {
    const folder = await newFolder();
    const { over } = hooked(folder, asked('ls'));
    await linesOf(folder, 1);
    await rm(folder, { recursive: true });
    expect(await over).toBe('');
    expect(await hooked(path.join(root, 'never'), asked('x'.repeat(1_000_000))).over).toBe('');
  });

  it('leaves when the agent is gone', async () => {
    const folder = await newFolder();
    const { hook, over, printed } = hooked(folder, '', true);
    await linesOf(folder, 1);
    const pid = Number(printed().trim());
    expect(() => process.kill(pid, 0)).not.toThrow();
    kill(hook.pid, 'SIGKILL');
    // it holds the output open for as long as it lives
    await over;
  });
});

describe('what is asked', () => {
  const use = (id: string, command: string) =>
    JSON.stringify({ type: 'assistant', message: { content: [{ type: 'tool_use', id, name: 'Bash', input: { command } }] } });
  const answered = (id: string, content: unknown = 'done', timestamp = new Date().toISOString()) =>
    JSON.stringify({ type: 'user', timestamp, message: { content: [{ type: 'tool_result', tool_use_id: id, content }] } });
  const REFUSED = "The user doesn't want to proceed with this tool use.";

  async function opened(folder?: string) {
    const own = folder ?? (await newFolder());
    const clock = fakeClock();
    const asks = openHookAsks(own, clock);
    const hear = (line: string, from: 'hooks' | 'out') => {
      const fact = from === 'hooks' ? factOfHook(line) : factOfLine(line);
      if (fact) asks.take(fact, from);
    };
    return { folder: own, clock, asks, hook: (line: string) => hear(line, 'hooks'), out: (line: string) => hear(line, 'out') };
  }
  const answerOf = (folder: string, callId: string) =>
    readFile(path.join(folder, 'asks', `${callId}.answer`), 'utf8').catch(() => undefined);

  it('is over when that tool has answered, and not when one beside it has', async () => {
    const { folder, asks, hook, out } = await opened();
    hook(`1 ${asked('ls')}`);
    hook(`2 ${asked('rm x')}`);
    for (const [at, command] of ['cat y', 'ls', 'rm x'].entries()) out(use(`t${at}`, command));
    out(answered('t0'));
    expect([...asks.news()]).toMatchObject([
      { kind: 'asks', callId: '1', tool: 'Bash', input: { command: 'ls' } },
      { kind: 'asks', callId: '2', input: { command: 'rm x' } },
    ]);
    out(answered('t1'));
    out(answered('t2', REFUSED));
    expect([...asks.news()]).toEqual([
      { kind: 'withdrawn', callId: '1', decision: 'allow' },
      { kind: 'withdrawn', callId: '2', decision: 'deny' },
    ]);
    expect([asks.isAsking, [...asks.news()]]).toEqual([false, []]);
    // so that their hooks leave
    expect([await answerOf(folder, '1'), await answerOf(folder, '2')]).toEqual(['', '']);
  });

  it('is over when the agent rests, by its hooks and not by what its transcript tells late', async () => {
    const { asks, hook, out, clock } = await opened();
    hook(`1 ${asked('ls')}`);
    out(JSON.stringify({ type: 'user', message: { content: 'an earlier prompt' } }));
    expect([...asks.news()]).toHaveLength(1);
    const rests = JSON.stringify({ hook_event_name: 'Stop', last_assistant_message: 'done' });
    hook(rests);
    // nothing proves what was decided, and the transcript may still
    expect([[...asks.news()], asks.isSettling]).toEqual([[], true]);
    clock.advance(1500);
    expect([[...asks.news()], asks.isSettling]).toEqual([[{ kind: 'withdrawn', callId: '1' }], false]);

    hook(`2 ${asked('rm x')}`);
    hook(rests);
    out(use('t', 'rm x'));
    out(answered('t', REFUSED));
    hook(`3 ${asked('rm y')}`);
    hook(JSON.stringify({ hook_event_name: 'UserPromptSubmit', prompt: 'go on' }));
    clock.advance(1500);
    expect([...asks.news()]).toEqual([
      { kind: 'withdrawn', callId: '2', decision: 'deny' },
      { kind: 'withdrawn', callId: '3' },
    ]);
  });

  it('is not over because something that was said meanwhile is taken up, under the same prompt', async () => {
    const { asks, hook, clock } = await opened();
    hook(`1 ${asked('ls').replace(/}$/, ',"prompt_id":"p1"}')}`);
    const prompted = (prompt_id: string) =>
      hook(JSON.stringify({ hook_event_name: 'UserPromptSubmit', prompt: 'and on', prompt_id }));
    prompted('p1');
    clock.advance(1500);
    expect([[...asks.news()], asks.isAsking]).toMatchObject([[{ kind: 'asks' }], true]);
    prompted('p2');
    clock.advance(1500);
    expect([...asks.news()]).toEqual([{ kind: 'withdrawn', callId: '1' }]);
  });

  it.each([
    ["The user doesn't want to take this action right now. STOP.", undefined],
    ['[Tool call skipped: another one was refused]', undefined],
    ['<tool_use_error>Cancelled: parallel tool call Bash(x) errored</tool_use_error>', undefined],
    [[{ type: 'text', text: REFUSED }], 'deny'],
    ['ls: no such file', 'allow'],
  ])('is decided as its tool was answered: %j', async (content, decision) => {
    const { asks, hook, out, clock } = await opened();
    hook(`1 ${asked('ls')}`);
    expect([...asks.news()]).toHaveLength(1);
    out(use('t', 'ls'));
    out(answered('t', content));
    clock.advance(1500);
    expect([...asks.news()]).toEqual([{ kind: 'withdrawn', callId: '1', ...(decision && { decision }) }]);
  });

  it('by one of its own agents is not over because the main one works or rests', async () => {
    const { asks, hook, clock } = await opened();
    hook(`1 ${asked('ls').replace(/}$/, ',"agent_id":"a1"}')}`);
    expect([...asks.news()]).toHaveLength(1);
    asks.end('allow');
    hook(JSON.stringify({ hook_event_name: 'Stop', last_assistant_message: 'done' }));
    hook(JSON.stringify({ hook_event_name: 'UserPromptSubmit', prompt: 'go on' }));
    clock.advance(60_000);
    expect([[...asks.news()], asks.isAsking]).toEqual([[], true]);
  });

  it('may hold line separators of Unicode', () => {
    expect(factOfHook(`1 ${asked('a\u2028b')}`)).toMatchObject({ kind: 'asks', ask: { input: { command: 'a\u2028b' } } });
  });

  it('is not over because the same was done before it was asked', async () => {
    const { folder, asks, hook, out } = await opened();
    await writeFile(path.join(folder, 'asks', '1'), '');
    hook(`1 ${asked('ls')}`);
    out(use('before', 'ls'));
    out(answered('before', 'done', new Date(Date.now() - 60_000).toISOString()));
    expect([...asks.news()]).toMatchObject([{ kind: 'asks' }]);
    out(use('now', 'ls'));
    out(answered('now', 'done', new Date(Date.now() + 1000).toISOString()));
    expect([...asks.news()]).toMatchObject([{ kind: 'withdrawn' }]);
  });

  it('is answered once, by a file that is whole as soon as it is there', async () => {
    const { folder, asks, hook, clock } = await opened();
    hook(`1 ${asked('ls')}`);
    asks.answer('1', { behavior: 'deny', message: 'no "ls"' });
    asks.answer('1', { behavior: 'allow' });
    asks.answer('2', { behavior: 'allow' });
    expect(JSON.parse((await answerOf(folder, '1')) ?? '')).toEqual({
      hookSpecificOutput: { hookEventName: 'PermissionRequest', decision: { behavior: 'deny', message: 'no "ls"' } },
    });
    expect(await readdir(path.join(folder, 'asks'))).toEqual(['1.answer']);
    expect(asks.isAsking).toBe(true);
    // where nobody takes it, the dialog is still there
    clock.advance(10_000);
    expect(asks.isAsking).toBe(false);
  });

  it('is told again by the next hub while it is open, and not when it has its answer', async () => {
    const first = await opened();
    for (const id of ['1', '2', '3']) first.hook(`${id} ${asked(id)}`);
    first.asks.answer('1', { behavior: 'allow' });
    const next = await opened(first.folder);
    for (const id of ['1', '2', '3']) next.hook(`${id} ${asked(id)}`);
    next.out(use('t', '2'));
    next.out(answered('t'));
    expect([...next.asks.news()]).toMatchObject([
      { kind: 'withdrawn', callId: '2' },
      { kind: 'asks', callId: '3' },
    ]);
  });

  it('says so where its answer cannot be written, and goes on where nobody waits for one', async () => {
    const { folder, asks, hook, clock } = await opened();
    for (const id of ['1', '2']) {
      hook(`${id} ${asked(id)}`);
      await mkdir(path.join(folder, 'asks', `${id}.answer.new`));
    }
    expect(() => asks.answer('1', { behavior: 'allow' })).toThrow('could not be handed over (EISDIR)');
    asks.end();
    clock.advance(1500);
    expect([...asks.news()]).toHaveLength(2);
  });

  it('is not answered where the folder of its run is gone', async () => {
    const { folder, asks, hook } = await opened();
    hook(`1 ${asked('ls')}`);
    await rm(folder, { recursive: true });
    expect(() => asks.answer('1', { behavior: 'allow' })).not.toThrow();
  });
});

describe('a dialog of the real Claude Code', { timeout: 60_000 }, () => {
  let rig: ClaudeRig;
  beforeAll(async () => {
    rig = await openClaudeRig();
    await mkdir(path.join(rig.root, 'made'));
  });
  afterAll(() => rig.close());

  const asking = (name: string, first: string) =>
    message(1, `@@tool Bash {"command":"${first}touch ${path.join(rig.root, 'made', name)}"}\n@@say The last: {{last}}`);
  const isMade = (name: string) => exists(path.join(rig.root, 'made', name));
  const start = async (name: string, first = '') => {
    const run = await rig.runner.start(rig.claude(name, [asking(name, first)]));
    const seen = listen(run);
    const { callId } = await seen.event('asks');
    return { run, seen, callId };
  };
  const hooks = async () => (await processesMarked(rig.root)).filter(({ command }) => command.includes('asks='));

  it('is answered through the next hub, and the first answer counts', async () => {
    const { seen, callId } = await start('next');
    const next = await rig.nextHub().adopt('next', 1);
    const later = next && listen(next);
    expect(await later?.event('asks')).toMatchObject({ callId, tool: 'Bash' });
    await next?.answer(callId, { behavior: 'deny', message: 'not this one' });
    await next?.answer(callId, { behavior: 'allow' });
    await later?.rests();
    expect(await isMade('next')).toBe(false);
    expect(later?.kinds()).not.toContain('withdrawn');
    await next?.stop({ kind: 'cancelled' });
    await later?.over;
    await seen.over;
    expect(later?.events.at(-1)).toMatchObject({ result: { text: 'The last: not this one' } });
  });

  it('that a person allows is withdrawn while the tool still runs, and its hook leaves', async () => {
    const go = path.join(rig.root, 'go');
    const { run, seen, callId } = await start('person', `until [ -f ${go} ]; do sleep 0.1; done; `);
    // while it writes there are several for a moment
    await expect.poll(async () => (await hooks()).length).toBe(1);
    await rig.choose('s-person', /1\. Yes/);
    expect(await seen.event('withdrawn')).toEqual({ kind: 'withdrawn', callId, decision: 'allow' });
    await expect.poll(hooks).toEqual([]);
    await run.answer(callId, { behavior: 'deny', message: 'too late' });
    await writeFile(go, '');
    await seen.rests();
    expect(await isMade('person')).toBe(true);
    await run.stop({ kind: 'cancelled' });
    await seen.over;
  });

  it('is over with its run, and no hook is left, also of an agent that was killed', async () => {
    const { run, seen } = await start('stopped');
    await run.stop({ kind: 'cancelled' });
    await seen.over;
    const killed = await start('killed');
    const started = await killed.seen.event('started');
    process.kill(started.process.pid, 'SIGKILL');
    await killed.seen.over;
    expect([await isMade('stopped'), await isMade('killed')]).toEqual([false, false]);
    // tmux takes its client's session away a moment after the client
    await expect.poll(rig.sessions).toEqual([]);
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  });
});
