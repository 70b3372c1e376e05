// The client of tmux that stays: it answers like a client for each call, is nobody's company, and may die at any moment.
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Pane, paneOf } from '../../runners/pane.ts';
import { shellWord } from '../../runners/shell-word.ts';
import { type Tmux, tmuxAt, tmuxProgramOn } from '../../runners/tmux.ts';
import { openControl } from '../../runners/tmux-control.ts';
import { kill } from '../support/processes.ts';
import { type InteractiveRig, openInteractiveRig } from './interactive-rig.ts';
import { eventually } from './rig.ts';

const KILLS = Number(process.env.SCOPECRAFT_CLIENT_KILLS ?? 40);
vi.setConfig({ testTimeout: 60_000 + 1_000 * KILLS });

/** Shows what could be taken for words of the control mode, and adds each line it reads to a file. */
const READER = `printf '%%begin 1 1 1\\n%%end 1 1 1\\n%%error 1 1 1\\n%%exit\\nit'\\''s \\303\\251 ;\\n'
while IFS= read -r line; do printf '%s\\n' "$line" >>"$0"; done`;

let rig: InteractiveRig;
let tmux: Tmux;
let pane: Pane;
let record: string;
beforeAll(async () => {
  rig = await openInteractiveRig();
  record = path.join(rig.root, 'record');
  await writeFile(record, '');
  const script = path.join(rig.root, 'reader');
  await writeFile(script, ['/bin/sh', '-c', READER, record].map(shellWord).join(' '));
  tmux = tmuxAt(await tmuxProgramOn(rig.env.PATH), rig.socket);
  await tmux.ensureServer(rig.env.PATH);
  pane = paneOf(tmux, 'reader', 1);
  expect(await pane.open({ cwd: rig.work, env: rig.env, script, shell: undefined, output: undefined })).toBeUndefined();
  await eventually(async () => ((await pane.look())?.screen.includes(' ;') ? true : undefined));
});
afterAll(() => rig.close());

const lines = async () => (await readFile(record, 'utf8')).split('\n').filter(Boolean);
/** Pid of the client that stays; undefined while there is none. */
const clientPid = () => Number(rig.tmux('list-clients', '-F', '#{client_pid}').trim()) || undefined;

/** Brings a word onto the screen. */
async function show(word: string): Promise<void> {
  await pane.paste(word, { after: ['Enter'] });
  await eventually(async () => ((await lines()).includes(word) ? true : undefined));
}

describe('the client of tmux that stays', () => {
  it.each([
    [['capture-pane', '-p', '-e', '-t', '=s-reader:']],
    [['display-message', '-p', `it's "a" \\ ~ $HOME ; {x} #[fg=red] é \u{1F600}`]],
    [['display-message', '-p', '-t', '=s-reader:', '#{session_name}\t#{pane_id}']],
    [['kill-session', '-t', '=s-nobody:']],
    [['no-such-command']],
  ])('answers like a client for each call: %j', async (command) => {
    const once = await tmux.call([command, ['display-message', '-p', 'behind']]);
    const staying = await tmux.ask([command, ['display-message', '-p', 'behind']]);
    expect([staying.isDone, staying.stdout]).toEqual([once.isDone, once.stdout]);
    expect(staying.stderr === '').toBe(once.stderr === '');
  });

  it('is one for all calls, and not counted as somebody who looks on', async () => {
    await pane.look();
    const pid = clientPid();
    expect(pid).toBeDefined();
    await Promise.all(Array.from({ length: 20 }, () => pane.look()));
    expect([clientPid(), (await pane.look())?.attached, await pane.detach()]).toEqual([pid, 0, 0]);
  });

  it('may be killed before, while and after it brings something in: that is there once or not at all, and never later', async () => {
    const said: string[] = [];
    for (let round = 0; round < KILLS; round++) {
      await pane.look();
      const pid = clientPid();
      const text = `round ${round}`;
      said.push(text);
      const pasted = pane.paste(text, { after: ['Enter'] });
      if (round % 4 > 0) await delay(round % 4 === 3 ? 2 : 0);
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
      await pasted;
    }
    // what is brought by the one that was just killed may be lost as well
    await eventually(async () => {
      const last = `last ${said.length}`;
      said.push(last);
      await pane.paste(last, { after: ['Enter'] });
      await delay(50);
      return (await lines()).includes(last) ? true : undefined;
    });
    const got = await lines();
    expect(got).toEqual(said.filter((text) => got.includes(text)));
  });

  it('that dies with no answer leaves it open whether what it was told was done, and a look is had from another', async () => {
    await show('shown');
    await writeFile(record, '');
    await pane.look();
    const [client, server] = [clientPid(), Number(rig.tmux('display-message', '-p', '#{pid}'))];
    kill(server, 'SIGSTOP');
    const pasted = tmux.ask([['send-keys', '-t', '=s-reader:', '-l', 'held']]);
    const looked = pane.look();
    if (client !== undefined) process.kill(client, 'SIGKILL');
    expect(await pasted).toMatchObject({ isDone: false });
    kill(server, 'SIGCONT');
    expect((await looked)?.screen).toContain('shown');
    await pane.press('Enter');
    await pane.paste('behind', { after: ['Enter'] });
    await eventually(async () => ((await lines()).includes('behind') ? true : undefined));
    expect(['behind', 'held,behind']).toContain(String(await lines()));
  });

  it('is done without where there can be none', async () => {
    const program = path.join(rig.root, 'tmux-without');
    const words = 'for word; do [ "$word" = -C ] && exit 1; done';
    await writeFile(program, `#!/bin/sh\n${words}\nexec ${tmux.program} "$@"\n`, { mode: 0o755 });
    const other = paneOf(tmuxAt(program, rig.socket), 'reader', 1);
    await show('shown');
    await tmux.release();
    await writeFile(record, '');
    expect((await other.look())?.screen).toContain('shown');
    await other.paste('x'.repeat(1000).concat('\n').repeat(30), { after: ['Enter'] });
    await eventually(async () => ((await lines()).length === 30 ? true : undefined));
    expect(clientPid()).toBeUndefined();
  });

  it('leaves when it was not used for a while, and another comes when it is', async () => {
    const words = ['-u', '-S', rig.socket, '-f', '/dev/null', '-N'];
    await tmux.release();
    const brief = openControl(tmux.program, words, 300);
    expect(await brief.call([['display-message', '-p', 'here']])).toMatchObject({ stdout: 'here\n' });
    expect(clientPid()).toBeDefined();
    await eventually(async () => (clientPid() === undefined ? true : undefined));
    expect(await brief.call([['display-message', '-p', 'again']])).toMatchObject({ stdout: 'again\n' });
    await brief.close();
  });

  it('leaves the server alive, whatever else ends at that moment', async () => {
    const server = rig.tmux('display-message', '-p', '#{pid}');
    for (let round = 0; round < 40; round++) {
      rig.tmux('new-session', '-d', '-s', 'other', 'sleep 600');
      await pane.look();
      const ending = tmux.call([['kill-session', '-t', '=other']]);
      await delay(round % 8);
      await Promise.all([tmux.release(), ending]);
    }
    expect(rig.tmux('display-message', '-p', '#{pid}')).toBe(server);
    expect(rig.tmux('list-sessions', '-F', '#{session_name}')).toBe('s-reader\n');
  }, 120_000);

  it.each(['waits for its answer', 'has its answer'])(
    'of a dead hub is ended by the next one, and its session with it, where it %s',
    async (state) => {
      const server = Number(rig.tmux('display-message', '-p', '#{pid}'));
      const words = [
        '-u',
        '-S',
        rig.socket,
        '-f',
        '/dev/null',
        '-N',
        '-C',
        'new-session',
        '-s',
        'hub-dead',
        '/bin/sh',
        '-c',
        ':',
      ];
      const left = spawn(tmux.program, words, { env: {}, stdio: ['pipe', 'pipe', 'ignore'] });
      left.stdout.on('data', () => {});
      const dead = () => rig.tmux('list-clients', '-t', '=hub-dead', '-F', '#{client_pid}').trim();
      await eventually(() => dead() === String(left.pid) || undefined);
      if (state === 'waits for its answer') {
        kill(server, 'SIGSTOP');
        left.stdin.write('list-sessions\n');
      } else kill(left.pid, 'SIGSTOP');
      left.stdin.destroy();
      left.stdout.destroy();
      await delay(50);
      kill(server, 'SIGCONT');
      await delay(200);
      // it does not leave by itself
      expect(dead()).toBe(String(left.pid));

      await pane.look();
      const own = tmux.release();
      const other = pane.look();
      await own;
      expect(await other).toBeDefined();
      await expect.poll(() => left.signalCode).toBe('SIGKILL');
      expect(rig.tmux('list-sessions', '-F', '#{session_name}')).not.toContain('hub-dead');
      expect(rig.tmux('display-message', '-p', '#{pid}').trim()).toBe(String(server));
    },
  );

  it('goes with the last session, and the server with both', async () => {
    await pane.look();
    expect(clientPid()).toBeDefined();
    await pane.close();
    // tmux takes its client's session away a moment after the client
    await expect.poll(rig.sessions).toEqual([]);
    expect(await tmux.call([['list-sessions']])).toMatchObject({ isDone: false });
  });
});
