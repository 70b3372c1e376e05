// The machine's clock is set back while runs are followed: what they say is told, and they are taken down, in their time all the same.
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createAutonomousRunner } from '../../runners/autonomous.ts';
import { createInteractiveRunner } from '../../runners/interactive.ts';
import { type InteractiveRig, listen, message, openInteractiveRig } from './interactive-rig.ts';
import { eventually, realClock } from './rig.ts';

const HOUR = 3_600_000;

let rig: InteractiveRig;
beforeAll(async () => {
  rig = await openInteractiveRig();
});
afterAll(() => rig.close());

/** Runners whose clock can be set back. */
function runners() {
  let back = 0;
  const clock = { ...realClock, now: () => realClock.now() - back };
  return {
    autonomous: createAutonomousRunner({ ...rig.options, clock, resultGraceMs: 500 }),
    interactive: createInteractiveRunner({ ...rig.options, clock }),
    setBack: () => {
      back += HOUR;
    },
  };
}

const script = (name: string, lines: string) => rig.spec(name, [], ['sh', '-c', lines], { type: 'autonomous' });
/** Waits until the run has said this word. */
const says = (name: string, word: string) =>
  eventually(async () => ((await readFile(path.join(rig.folder(name), 'out'), 'utf8')).includes(word) ? true : undefined));

it('an agent is heard on both its outputs', async () => {
  const { autonomous, setBack } = runners();
  const go = path.join(rig.root, 'heard.go');
  const run = await autonomous.start(
    script('heard', `echo a; echo b >&2; until [ -e ${go} ]; do sleep 0.05; done; echo c; echo d >&2; sleep 600`),
  );
  const { event, over } = listen(run);
  await event('spoke', ({ bytes }) => bytes === 2);
  await event('complained', ({ bytes }) => bytes === 2);
  setBack();
  await writeFile(go, '');
  await event('spoke', ({ bytes }) => bytes === 4);
  await event('complained', ({ bytes }) => bytes === 4);
  await run.stop({ kind: 'cancelled' });
  await over;
});

it('an agent in a terminal is heard', async () => {
  const { interactive, setBack } = runners();
  const run = await interactive.start(rig.spec('terminal', [message(1, '@@say one')]));
  const { event, rests, over } = listen(run);
  await rests();
  const { size: before } = await stat(path.join(rig.folder('terminal'), 'out'));
  await event('spoke', ({ bytes }) => bytes === before);
  setBack();
  await run.tell(message(2, '@@say two'));
  await event('spoke', ({ bytes }) => bytes > before);
  await run.stop({ kind: 'cancelled' });
  await over;
});

it('an agent that stays after its result is taken down', async () => {
  const { autonomous, setBack } = runners();
  const result = `{"type":"result","subtype":"success","is_error":false,"result":"all done"}`;
  const spec = script('stays', `echo '${result}'; exec sleep 600`);
  const run = await autonomous.start({ ...spec, agent: { ...spec.agent, output: 'stream-json' } });
  const { event, over } = listen(run);
  await event('spoke');
  setBack();
  await over;
  expect(await event('ended')).toMatchObject({ exit: { code: 143 }, result: { text: 'all done' } });
});

it('an agent that does not leave when it is asked to is killed', async () => {
  const { autonomous, setBack } = runners();
  const run = await autonomous.start(script('deaf', 'trap "echo asked" TERM; echo ready; while :; do sleep 0.05; done'));
  const { event, over } = listen(run);
  await says('deaf', 'ready');
  await run.stop({ kind: 'cancelled' });
  await says('deaf', 'asked');
  setBack();
  await over;
  expect(await event('ended')).toMatchObject({ exit: { code: 137 } });
});
