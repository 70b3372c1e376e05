// A hub stays as long as it is needed, also when every door is closed, and no longer.
import { afterEach, expect, it } from 'vitest';
import { z } from 'zod';
import { connect } from '../support/clients.ts';
import { makeWorkspace, type Workspace } from '../support/workspace.ts';

const Events = z.looseObject({ events: z.array(z.looseObject({ name: z.string() })) });

let workspace: Workspace | undefined;
afterEach(() => workspace?.close());

it('a hub does not leave while a session runs or waits in the line, and leaves then', async () => {
  const opened = await makeWorkspace({ userConfig: { defaultAgent: 'demo', server: { idleExitMs: 300 } } });
  workspace = opened;
  const at = { env: opened.env, cwd: opened.path };
  const first = await connect('modern', at);
  const ids = [];
  for (const start of [
    { prompt: '@@sleep 1200\n@@say it ran' },
    { prompt: '@@say it waited', notBefore: new Date(Date.now() + 3000).toISOString() },
  ])
    ids.push((await first.call('session_start', start)).id);
  await first.close();
  await expect.poll(() => opened.hub()).toBeUndefined();
  const later = await connect('modern', at);
  try {
    for (const id of ids) expect(await later.call('session_get', { sessionId: id })).toMatchObject({ status: 'completed' });
    const { events } = Events.parse(await later.call('event_list', { types: ['hub.*'], limit: 20 }));
    expect(events.map(({ name }) => name).slice(0, 3)).toEqual(['hub.started', 'hub.stopped', 'hub.started']);
  } finally {
    await later.close();
  }
});
