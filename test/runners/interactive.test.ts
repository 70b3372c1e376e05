import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readExit } from '../../runners/run-folder.ts';
import { isOlder } from '../../runners/tmux.ts';
import { processesLeft } from '../support/processes.ts';
import { type InteractiveRig, listen, message, openInteractiveRig } from './interactive-rig.ts';
import { eventually } from './rig.ts';

let rig: InteractiveRig;
beforeAll(async () => {
  rig = await openInteractiveRig({ evidenceMs: 3000, quietMs: 400 });
});
afterAll(() => rig.close());

const CANCELLED = { kind: 'cancelled' } as const;

describe('an interactive run', { timeout: 60_000 }, () => {
  it('plays its first prompts in order, then waits at its prompt, and ends with its last answer', async () => {
    const run = await rig.runner.start(rig.spec('plays', [message(1, '@@say one'), message(2, '@@say two\n@@say more')]));
    const seen = listen(run);
    expect([await seen.outcome(1), await seen.outcome(2)]).toEqual(['received', 'received']);
    await seen.rests();
    expect(seen.events.findLast(({ kind }) => kind === 'idle')).toEqual({ kind: 'idle', for: 'prompt', text: 'more' });
    rig.tmux('send-keys', '-t', '=s-plays:', 'C-d');
    await seen.over;
    expect(seen.events.at(-1)).toMatchObject({ kind: 'ended', exit: { code: 0 }, result: { text: 'more', isError: false } });
    expect((await rig.logOf('plays')).filter(({ kind }) => kind === 'prompt').map(({ text }) => text)).toEqual([
      '@@say one',
      '@@say two\n@@say more',
    ]);
    expect(readExit(rig.folder('plays'))).toBe(0);
    expect(rig.sessions()).not.toContain('s-plays');
  });

  it('takes what is said while it works when it has time, and at once when that interrupts', async () => {
    const run = await rig.runner.start(rig.spec('busy', [message(1, '@@sleep 1500\n@@say first')]));
    const seen = listen(run);
    await seen.outcome(1);
    await run.tell(message(2, '@@sleep 60000\n@@say never'));
    await run.tell(message(2, 'the same again'));
    expect(await seen.outcome(2)).toBe('received');
    await run.tell(message(3, '@@say at once', 'interrupt'));
    expect(await seen.outcome(3)).toBe('received');
    await seen.rests();
    const said = (await rig.logOf('busy')).filter(({ kind }) => kind === 'text' || kind === 'prompt').map(({ text }) => text);
    expect(said).toEqual(['@@sleep 1500\n@@say first', 'first', '@@sleep 60000\n@@say never', '@@say at once', 'at once']);
    await run.stop(CANCELLED);
    await seen.over;
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  });

  it('gets the environment that was given, a terminal, and neither the name of our tmux server nor anything from it', async () => {
    const script = 'env; tty; sleep 600';
    const more = { env: { ...rig.env, API_SECRET: 's3cret $value' } };
    const run = await rig.runner.start(rig.spec('env', [message(1, 'no name of a variable')], ['sh', '-c', script], more));
    const seen = listen(run);
    const out = await eventually(async () => {
      const text = await readFile(path.join(rig.folder('env'), 'out'), 'utf8');
      return text.includes('/dev/') ? text : undefined;
    });
    const names = out.split('\r\n').map((line) => line.split('=')[0] ?? '');
    const given = [...Object.keys(more.env), 'SCOPECRAFT_SESSION', 'SCOPECRAFT_RUN', 'NO_PROXY', 'no_proxy'];
    const ofTerminal = ['TERM', 'TERM_PROGRAM', 'TERM_PROGRAM_VERSION', 'PWD', 'OLDPWD', 'SHLVL', '_'];
    expect(names.filter((name) => /^[A-Za-z_]+$/.test(name) && ![...given, ...ofTerminal].includes(name))).toEqual([]);
    expect(out).toContain('API_SECRET=s3cret $value');
    expect(out).toContain(`PWD=${rig.work}`);
    const server = rig.tmux('show-environment', '-g');
    expect(server).not.toMatch(/SECRET|SCOPECRAFT|RIG/);
    for (const name of await readdir(rig.folder('env'))) {
      if (name === 'out') continue;
      expect(await readFile(path.join(rig.folder('env'), name), 'utf8'), name).not.toContain('s3cret');
      if (!/^(claim|child)/.test(name)) expect((await stat(path.join(rig.folder('env'), name))).mode & 0o077, name).toBe(0);
    }
    await run.stop(CANCELLED);
    await seen.over;
  });

  it('says of any other program that it got what its terminal shows, and of nothing else', async () => {
    const run = await rig.runner.start(rig.spec('cat', [message(1, 'to the cat')], ['sh', '-c', 'echo ready; cat']));
    const seen = listen(run);
    expect(await seen.outcome(1)).toBe('received');
    await seen.event('spoke');
    await run.tell(message(2, `a 'b' "c" $(touch ${rig.root}/ran) \`id\`; C-c #{pane_id}\nsecond line`));
    expect(await seen.outcome(2)).toBe('received');
    expect(await readFile(path.join(rig.folder('cat'), 'out'), 'utf8')).toContain('to the cat\r\nto the cat\r\n');
    await run.stop(CANCELLED);
    await seen.over;
    expect((await readdir(rig.root)).includes('ran')).toBe(false);

    const silent = await rig.runner.start(rig.spec('silent', [message(3, 'hello?')], ['sh', '-c', 'stty -echo; sleep 600']));
    const unheard = listen(silent);
    expect(await unheard.outcome(3)).toMatch(/keeps no record/);
    await silent.stop(CANCELLED);
    await unheard.over;
  });

  it('has a terminal that can be found, met and left', async () => {
    const run = await rig.runner.start(rig.spec('Meet.1', [message(1, '@@say hello')]));
    const seen = listen(run);
    await seen.outcome(1);
    const terminal = await rig.runner.find('Meet.1', 1);
    expect(terminal).toMatchObject({ socket: rig.socket, session: 's-meet-1', attached: 0 });
    expect(terminal?.command.slice(-5)).toEqual(['-S', rig.socket, 'attach-session', '-t', '=s-meet-1']);
    expect(await rig.runner.find('Meet.1', 2)).toBeUndefined();
    expect(await rig.runner.find('Meet', 1)).toBeUndefined();
    // a terminal inside a terminal
    rig.tmux('new-session', '-d', '-s', 'person', ...(terminal?.command ?? []));
    await eventually(async () => ((await rig.runner.find('Meet.1', 1))?.attached === 1 ? true : undefined));
    expect(await rig.nextHub().detach('Meet.1', 1)).toBe(1);
    await eventually(async () => ((await rig.runner.find('Meet.1', 1))?.attached === 0 ? true : undefined));
    expect(await rig.runner.detach('Meet.1', 1)).toBe(0);
    await run.stop(CANCELLED);
    await seen.over;
    expect(await rig.runner.find('Meet.1', 1)).toBeUndefined();
    rig.tmux('kill-session', '-t', '=person');
  });

  it('ends with what its screen said when it fails', async () => {
    const run = await rig.runner.start(rig.spec('fails', [message(1, 'x')], ['sh', '-c', 'echo because of this; exit 7']));
    const seen = listen(run);
    await seen.over;
    expect(seen.events.at(-1)).toMatchObject({ kind: 'ended', exit: { code: 7 }, result: undefined, stderr: 'because of this' });
    expect(await seen.outcome(1)).toMatch(/ended before/);
  });

  it('knows which tmux is too old by number, not as a decimal', () => {
    expect(['2.9', '3.1', '3.2', '3.3', '3.10', '10.0'].filter((version) => isOlder(version, '3.2'))).toEqual(['2.9', '3.1']);
  });

  it('is not started where tmux is missing, and says so', async () => {
    const spec = rig.spec('no-tmux', [message(1, 'x')], undefined, { env: { ...rig.env, PATH: rig.root } });
    const missing = { code: 'AGENT_MISSING', message: expect.stringContaining('tmux') };
    await expect(rig.runner.start(spec)).rejects.toMatchObject(missing);
    await expect(rig.runner.locate(spec.agent, spec.env)).rejects.toMatchObject(missing);
    expect(await rig.runner.locate(spec.agent, rig.env)).toBe(process.execPath);
    await expect(rig.runner.start(rig.spec('no-agent', [], ['no-such-program']))).rejects.toMatchObject({
      code: 'AGENT_MISSING',
    });
  });

  it('is one of twenty that start at the same time, and each gets its own prompt', async () => {
    const numbers = Array.from({ length: 20 }, (_, at) => 100 + at);
    const runs = await Promise.all(
      numbers.map((number) => rig.runner.start(rig.spec(`many-${number}`, [message(number, `for ${number}`)], ['cat']))),
    );
    const all = runs.map(listen);
    expect(await Promise.all(all.map((seen, at) => seen.outcome(100 + at)))).toEqual(numbers.map(() => 'received'));
    for (const number of numbers)
      expect(await readFile(path.join(rig.folder(`many-${number}`), 'out'), 'utf8')).toContain(`for ${number}\r\nfor ${number}`);
    await Promise.all(runs.map((run) => run.stop(CANCELLED)));
    await Promise.all(all.map(({ over }) => over));
    // the clients of other hubs may still be there
    expect(rig.sessions().filter((name) => name.startsWith('s-'))).toEqual([]);
  }, 60_000);
});
