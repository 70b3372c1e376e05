// Speaking to a running agent, with the built-in agent and small programs as real processes.
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { AgentEntry } from '../../core/agent.ts';
import { createAutonomousRunner } from '../../runners/autonomous.ts';
import { userLine } from '../../runners/inbox.ts';
import { isAlive, signalProcess } from '../../runners/process.ts';
import { readChild, readExit, readFeeder } from '../../runners/run-folder.ts';
import { readLine } from '../../runners/transcript.ts';
import { processesLeft } from '../support/processes.ts';
import { ending, eventually, followed, openRig, type Rig, realClock, said } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig({ resultGraceMs: 3000 });
});
afterAll(() => rig.close());

const outOf = (sessionId: string, of = rig) => readFile(path.join(of.folder(sessionId), 'out'), 'utf8');
const shows = (sessionId: string, word: string) =>
  eventually(async () => ((await outOf(sessionId)).includes(word) ? true : undefined));

async function entriesOf(sessionId: string, ...kinds: string[]): Promise<string[]> {
  const entries = (await outOf(sessionId)).split('\n').flatMap((line) => readLine(line, 'stream-json').entries);
  return entries.filter(({ kind }) => kinds.includes(kind)).map(({ text }) => text);
}

/** A run of the built-in agent that waits for the file `<sessionId>.go` after its first words. */
async function begun(sessionId: string, rest = '') {
  const go = path.join(rig.root, `${sessionId}.go`);
  const wait = `@@tool Bash ${JSON.stringify({ command: `while [ ! -e ${go} ]; do sleep 0.05; done` })}`;
  const first = said(`@@say begun\n${wait}\n${rest}`);
  const run = await rig.runner.start(rig.spec(sessionId, '', undefined, { messages: [first] }));
  await shows(sessionId, 'begun');
  return { first, run, go: () => writeFile(go, '') };
}

describe('a running agent', () => {
  it('takes up what it is told meanwhile, in order and once each, and then leaves', async () => {
    const { first, run, go } = await begun('meanwhile', '@@say the rest');
    const follow = followed(run);
    const [one, two] = [said('@@say one'), said('@@say two \u{1F600}')];
    await run.tell(one);
    await run.tell(two);
    await run.tell(one);
    expect(follow.received()).toEqual([first.promptId]);
    await go();
    expect(await follow.done).toMatchObject({ exit: { code: 0 }, result: { isError: false, text: 'the rest' } });
    expect(follow.received()).toEqual([first.promptId, one.promptId, two.promptId]);
    expect(await entriesOf('meanwhile', 'prompt')).toEqual([first.text, one.text, two.text]);
    expect((await entriesOf('meanwhile', 'text')).sort()).toEqual(['begun', 'one', 'the rest', 'two \u{1F600}'].sort());
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  });

  it('goes on when it was interrupted, with what it is told then', async () => {
    const { run } = await begun('interrupted', '@@say never');
    const follow = followed(run);
    await run.tell(said('@@say instead', 'interrupt'));
    expect(await follow.done).toMatchObject({ exit: { code: 0 }, result: { isError: false, text: 'instead' } });
    expect(await entriesOf('interrupted', 'text')).toEqual(['begun', 'instead']);
    expect(await entriesOf('interrupted', 'result')).toEqual(['agent_error: error_during_execution', 'instead']);
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  });

  it('begins with all messages it is started with', async () => {
    const messages = [said('@@say one'), said('@@say two')];
    const follow = followed(await rig.runner.start(rig.spec('several', '', undefined, { messages })));
    expect(await follow.done).toMatchObject({ exit: { code: 0 }, result: { text: 'two' } });
    expect(follow.received()).toEqual(messages.map(({ promptId }) => promptId));
  });

  it('is told by the next hub what the one before said in half, and nothing twice', async () => {
    const { first, go } = await begun('torn');
    const [one, two] = [said('@@say one'), said('@@say two')];
    const before = createAutonomousRunner(rig.options);
    await (await before.adopt('torn', 1))?.tell(one);
    const half = userLine(two).slice(0, 90);
    await appendFile(path.join(rig.folder('torn'), 'in'), half);
    const next = await rig.runner.adopt('torn', 1);
    if (!next) throw new Error('The run was not found.');
    const follow = followed(next);
    await next.tell(one);
    await next.tell(two);
    await go();
    expect(await follow.done).toMatchObject({ exit: { code: 0 }, result: { text: 'two', isError: false } });
    expect(follow.received()).toEqual([first.promptId, one.promptId, two.promptId]);
    expect(await entriesOf('torn', 'prompt')).toEqual([first.text, one.text, two.text]);
  });

  it('is freed by the next hub of a line that nobody completes', async () => {
    const { go } = await begun('half', '@@say done with it');
    await appendFile(path.join(rig.folder('half'), 'in'), userLine(said('@@say unsaid')).slice(0, 100));
    const next = await rig.runner.adopt('half', 1);
    await go();
    expect(next && (await ending(next))).toMatchObject({ exit: { code: 0 }, result: { text: 'done with it' }, stderr: '' });
  });

  it('waits for the next hub when it is done while there is none', async () => {
    const run = await rig.runner.start(rig.spec('alone', '@@say done'));
    await shows('alone', '"result"');
    await delay(500);
    expect(readExit(rig.folder('alone'))).toBeUndefined();
    expect(await ending(run)).toMatchObject({ exit: { code: 0 }, result: { text: 'done' } });
  });

  it('is allowed by the next hub what it asked while there was another, and ended ones ask nothing', async () => {
    const script = '@@permission Bash {"command":"echo by the next"}\n@@say it was {{last}}';
    await rig.runner.start(rig.spec('asks', script));
    await shows('asks', 'can_use_tool');
    const next = await rig.runner.adopt('asks', 1);
    if (!next) throw new Error('The run was not found.');
    const follow = followed(next);
    const { callId, ...asked } = await eventually(() => follow.events.find((event) => event.kind === 'asks'));
    expect(asked).toEqual({ kind: 'asks', tool: 'Bash', input: { command: 'echo by the next' } });
    await next.answer(callId, { behavior: 'allow' });
    expect(await follow.done).toMatchObject({ exit: { code: 0 }, result: { text: 'it was by the next' } });
    const killed = await rig.runner.start(rig.spec('asks-killed', script));
    await shows('asks-killed', 'can_use_tool');
    process.kill((await eventually(() => readChild(rig.folder('asks-killed')))).pid, 'SIGKILL');
    await eventually(() => readExit(rig.folder('asks-killed')));
    const late = followed(killed);
    await late.done;
    expect(late.events.filter(({ kind }) => kind === 'asks')).toEqual([]);
  });

  it('has nothing to withdraw once it was answered', async () => {
    const request = { subtype: 'can_use_tool', tool_name: 'Bash', input: { command: 'ls' }, tool_use_id: 'toolu_1' };
    const program = path.join(rig.root, 'late-agent');
    const lines = [
      '#!/bin/sh',
      'read -r message',
      `echo '${JSON.stringify({ type: 'control_request', request_id: 'x', request })}'`,
      'read -r answer',
      `echo '${JSON.stringify({ type: 'control_cancel_request', request_id: 'x' })}'`,
      `echo '${JSON.stringify({ type: 'result', is_error: false, result: 'done' })}'`,
    ];
    await writeFile(program, `${lines.join('\n')}\n`, { mode: 0o755 });
    const agent = { ...AgentEntry.parse({ kind: 'claude', command: program }), name: 'late' };
    const run = await rig.runner.start(rig.spec('late', 'go', undefined, { agent }));
    const follow = followed(run);
    await eventually(() => follow.events.find((event) => event.kind === 'asks'));
    await run.answer('x', { behavior: 'allow' });
    expect(await follow.done).toMatchObject({ result: { text: 'done' } });
    expect(follow.events.map(({ kind }) => kind)).not.toContain('withdrawn');
  });

  it('can be another program that is told all at once', async () => {
    const messages = [said('one'), said('two')];
    const run = await rig.runner.start(rig.spec('command', '', ['cat'], { messages }));
    for (const message of messages) await run.tell(message);
    const follow = followed(run);
    expect(await follow.done).toMatchObject({ exit: { code: 0 } });
    expect(await outOf('command')).toBe('one\n\ntwo');
    expect(follow.received()).toEqual(messages.map(({ promptId }) => promptId));
    const found = await rig.runner.adopt('command', 1);
    for (const message of messages) await found?.tell(message);
    await expect(found?.tell(said('three'))).rejects.toMatchObject({ code: 'PROMPT_REFUSED' });
    await expect(found?.answer('any', { behavior: 'allow' })).rejects.toMatchObject({ code: 'PROMPT_REFUSED' });
    expect(found && followed(found)).toBeDefined();
  });
});

describe('a message at the end of a run', () => {
  it('is not received when the agent ends before it takes it up', async () => {
    const { first, run, go } = await begun('too-late', '@@exit 0');
    const follow = followed(run);
    const late = said('@@say never');
    await go();
    await follow.done;
    await run.tell(late);
    const { first: other, run: second, go: goOn } = await begun('outstanding', '@@tool Bash {"command":"sleep 600"}');
    const seconds = followed(second);
    await goOn();
    await eventually(async () => ((await entriesOf('outstanding', 'tool_use')).length === 2 ? true : undefined));
    process.kill((await eventually(() => readChild(rig.folder('outstanding')))).pid, 'SIGSTOP');
    await second.tell(late);
    process.kill((await eventually(() => readChild(rig.folder('outstanding')))).pid, 'SIGKILL');
    await seconds.done;
    expect([follow.received(), seconds.received()]).toEqual([[first.promptId], [other.promptId]]);
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  });

  it('is acted on where it was received, and not received where it was not', async () => {
    for (let round = 0; round < 8; round++) {
      const sessionId = `race-${round}`;
      const run = await rig.runner.start(rig.spec(sessionId, '@@say begun'));
      const follow = followed(run);
      const late = said('@@say acted on it');
      await shows(sessionId, '"result"');
      await delay(round * 4);
      await run.tell(late);
      const { exit, result } = await follow.done;
      const isReceived = follow.received().includes(late.promptId);
      expect({ exit, isError: result?.isError }).toEqual({ exit: { code: 0 }, isError: false });
      expect((await outOf(sessionId)).includes('acted on it'), sessionId).toBe(isReceived);
    }
  });

  it('does not reach an agent whose feeder is gone, which ends its turn and leaves', async () => {
    const { first, run, go } = await begun('unfed', '@@say the end');
    const follow = followed(run);
    const feeder = await eventually(() => readFeeder(rig.folder('unfed')));
    signalProcess(feeder, 'SIGKILL');
    await eventually(() => (isAlive(feeder) ? undefined : true));
    await run.tell(said('@@say never'));
    await go();
    expect(await follow.done).toMatchObject({ exit: { code: 0 }, result: { text: 'the end' } });
    expect(follow.received()).toEqual([first.promptId]);
  });
});

describe('an agent that is done', () => {
  /** Acknowledges each line and ends its turn, after the first one with a pause; hangs at the end of input. */
  const slow = (pause: string) => `#!/bin/sh
echo '{"type":"system","subtype":"init","session_id":"s"}'
while IFS= read -r line; do
  id=\${line#*:\\"}
  id=\${id%%\\"*}
  echo "{\\"type\\":\\"user\\",\\"isReplay\\":true,\\"uuid\\":\\"$id\\",\\"message\\":{\\"content\\":\\"m\\"}}"
  echo "{\\"type\\":\\"result\\",\\"is_error\\":false,\\"result\\":\\"after $id\\"}"
  if [ -z "$paused" ]; then ${pause}; fi
  paused=yes
done
exec sleep 600
`;

  async function started(sessionId: string, pause: string, on = rig) {
    const program = path.join(on.root, `${sessionId}-agent`);
    await writeFile(program, slow(pause), { mode: 0o755 });
    const agent = { ...AgentEntry.parse({ kind: 'claude', command: program }), name: 'slow' };
    const first = said('first');
    return { first, run: await on.runner.start(on.spec(sessionId, '', undefined, { agent, messages: [first] })) };
  }

  it('and hangs is taken down after its grace, with its result', async () => {
    const { first, run } = await started('hangs', ':');
    expect(await ending(run)).toMatchObject({ exit: { code: 130 }, result: { text: `after ${first.promptId}` } });
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  });

  it('is left alone as long as it was told something new a short while ago', async () => {
    let [elapsedMs, looks, stands] = [0, 0, true];
    const elapsed = () => {
      looks++;
      return stands ? elapsedMs : elapsedMs + performance.now();
    };
    const timed = await openRig({ resultGraceMs: 3000, clock: { ...realClock, elapsed } });
    onTestFinished(() => timed.close());
    /** Time passes at once, and whoever follows the run sees it; a look asks for the time less than ten times. */
    const pass = async (ms: number) => {
      elapsedMs += ms;
      const enough = looks + 30;
      await eventually(() => looks > enough || undefined);
    };
    const go = path.join(timed.root, 'go');
    const { first, run } = await started('patient', `while [ ! -e ${go} ]; do sleep 0.05; done`, timed);
    const follow = followed(run);
    const [second, third] = [said('second'), said('third')];
    await run.tell(second);
    await eventually(async () => ((await outOf('patient', timed)).includes('after') ? true : undefined));
    await pass(0);
    await pass(2000);
    await run.tell(third);
    await pass(2000);
    await writeFile(go, '');
    await eventually(() => follow.received().length === 3 || undefined);
    stands = false;
    await follow.done;
    expect(follow.received()).toEqual([first, second, third].map(({ promptId }) => promptId));
  });

  it('and does not take what it was told is taken down, and the message not received', async () => {
    const { first, run } = await started('deaf', 'sleep 600');
    const follow = followed(run);
    await run.tell(said('second'));
    expect((await follow.done).result?.text).toBe(`after ${first.promptId}`);
    expect(follow.received()).toEqual([first.promptId]);
    expect(await processesLeft(rig.root, 2000)).toEqual([]);
  });
});
