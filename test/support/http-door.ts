// The HTTP door over a core in memory, with a token for everybody who may come: runs, clients of each scope, guests.
import { readFile, rm } from 'node:fs/promises';
import type { Scope, ShareRole } from '../../core/access.ts';
import { RESOURCES } from '../../resources/index.ts';
import { ensureTokens } from '../../server/client-tokens.ts';
import { openHttpDoor } from '../../server/http.ts';
import { createMcpFactory } from '../../server/mcp.ts';
import { expectReadable } from '../../server/peer.ts';
import { isActiveRun } from '../../server/token.ts';
import { createUpdates } from '../../server/updates.ts';
import type { Engine } from './engine.ts';
import type { Access } from './http-clients.ts';
import { makeRoot } from './project.ts';

export interface TestDoor {
  /** The state folder. */
  readonly root: string;
  /** What went wrong inside. */
  readonly lines: readonly string[];
  run(sessionId: string): Access;
  client(scope: Scope): Promise<Access>;
  guest(sessionId: string, role: ShareRole): Promise<Access>;
  /** The hub goes and the next one comes, with the same state. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

export async function openTestDoor({ orchestrator, ledger, settings }: Engine): Promise<TestDoor> {
  const root = await makeRoot();
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  const files = await ensureTokens(root);
  const open = async () => {
    const door = await openHttpDoor({ stateDir: root, log });
    const updates = createUpdates(orchestrator, RESOURCES);
    const stateKey = new Uint8Array(32).fill(1);
    const listed = { toolsets: ['all'], legacy: false };
    door.serve({
      build: createMcpFactory({ orchestrator, updates, version: '1.0.0', listed, log, stateKey }),
      expectReadable: (peer, uri) => expectReadable(orchestrator, peer, uri),
      updates,
      isActive: (identity) => isActiveRun(ledger.session(identity.sessionId), identity),
      share: ({ sessionId, shareId }) => ledger.session(sessionId)?.shares?.find((share) => share.shareId === shareId),
      environmentOf: async () => undefined,
      settings: () => ({ ...settings.config.server.http, enabled: true }),
    });
    return door;
  };
  let door = await open();
  let shares = 0;
  return {
    root,
    lines,
    run: (sessionId) => door.grant({ sessionId, run: ledger.session(sessionId)?.run ?? 1 }),
    client: async (scope) => ({ url: door.url, token: (await readFile(files[scope], 'utf8')).trim() }),
    async guest(sessionId, role) {
      // the ids of the core in memory are none that a token takes
      const shareId = `guest${['a', 'b', 'c', 'd', 'e', 'f'][shares++ % 6]}`;
      const share = { shareId, role, name: 'Anna', expiresAt: Date.now() + 3_600_000 };
      await ledger.record({ name: 'session.shared', data: { sessionId, ...share, by: 'a test' } });
      return door.grantShare({ sessionId, shareId });
    },
    async reopen() {
      await door.close();
      door = await open();
    },
    async close() {
      await door.close();
      await rm(root, { recursive: true });
    },
  };
}
