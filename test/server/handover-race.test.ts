// A door that comes while a hub makes room for a newer version.
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectHub } from '../../server/connect.ts';
import { programsIn } from '../../server/programs.ts';
import { goneFile, placeOf } from '../../storage/embedded/claim.ts';

let workspace: string;
let state: string;
beforeEach(() => {
  workspace = mkdtempSync(path.join(tmpdir(), 'sc-handover-'));
  state = path.join(workspace, 'state');
  mkdirSync(state, { mode: 0o700 });
  // of a hub whose process is gone
  const claim = {
    epoch: 1,
    pid: 2 ** 22 + 1,
    startedAt: '1',
    ...placeOf(state),
    socket: path.join(workspace, 'hub.sock'),
    nonce: 'nonce',
    version: '1.0.0',
    protocol: 1,
  };
  writeFileSync(path.join(state, 'hub.1.json'), JSON.stringify(claim), { mode: 0o600 });
});
afterEach(() => rmSync(workspace, { recursive: true }));

/** Comes to the hub as a door of this version, which starts no real one. */
function come(version: string): Promise<unknown> {
  return connectHub({
    version,
    kind: 'door',
    environment: {},
    workspace,
    stateDir: state,
    programs: programsIn(path.join(workspace, 'nothing')),
    hubEnvironment: {},
    patienceMs: 200,
  });
}

it.each([
  ['1.0.0', false],
  ['1.1.0', true],
])(
  'of version %s starts a hub beside the 1.1.0 that is on its way, where it read the claim before the old hub said so: %s',
  async (version, starts) => {
    const coming = come(version);
    // it has read the claim, and has not looked for the process yet
    writeFileSync(goneFile(state, 1), JSON.stringify({ handoverTo: '1.1.0' }));
    await expect(coming).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' });
    expect(existsSync(path.join(state, 'start.1'))).toBe(starts);
  },
);

describe('a door that comes when the clock was set back', () => {
  const later = new Date(Date.now() + 3_600_000);

  it('starts a hub, although another door seems to have been about to', async () => {
    const ticket = path.join(state, 'start.1');
    writeFileSync(ticket, '');
    utimesSync(ticket, later, later);
    await expect(come('1.0.0')).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' });
    expect(statSync(ticket).mtimeMs).toBeLessThan(later.getTime());
  });

  it('starts a hub, although a newer version seems to be on its way', async () => {
    writeFileSync(goneFile(state, 1), JSON.stringify({ handoverTo: '1.1.0' }));
    utimesSync(goneFile(state, 1), later, later);
    await expect(come('1.0.0')).rejects.toMatchObject({ code: 'HUB_UNREACHABLE' });
    expect(existsSync(path.join(state, 'start.1'))).toBe(true);
  });
});
