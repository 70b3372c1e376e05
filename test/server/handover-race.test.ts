// A door that comes while a hub makes room for a newer version.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
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
