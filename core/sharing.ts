// Sharing a session: a guest gets a token for it alone, with a role and an end; who may come is a fact of the session, the token is not.
import { isOpenShare, type Share, type ShareRole } from './access.ts';
import { fail } from './errors.ts';
import type { Ledger } from './ledger.ts';
import type { Clock, Ids, Passes } from './ports.ts';

export interface SharingParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Not there where nobody can come from outside. */
  readonly passes?: Passes | undefined;
}

export interface ShareRequest {
  readonly sessionId: string;
  readonly role: ShareRole;
  /** Whom it is for, in words. */
  readonly name: string;
  readonly lifeMs: number;
}

/** What the guest needs. */
export interface Shared extends Share {
  readonly url: string;
  readonly token: string;
}

export interface SharingDeeds {
  /** Shares a session. Fails with SESSION_NOT_FOUND or SHARE_REFUSED. */
  share(request: ShareRequest, by: string): Promise<Shared>;
  /** Ends a share at once. Fails with SESSION_NOT_FOUND or SHARE_REFUSED. */
  unshare(sessionId: string, shareId: string, by: string): Promise<void>;
  /** Shares of a session that are open now, oldest first. */
  shares(sessionId: string): readonly Share[];
}

/** Most shares of one session that are open at once. */
const MAX_SHARES = 50;
const ID_LENGTH = 8;

export function createSharing({ ledger, clock, ids, passes }: SharingParts): SharingDeeds {
  const get = (sessionId: string) =>
    ledger.session(sessionId) ?? fail('SESSION_NOT_FOUND', `There is no session "${sessionId}".`);
  const open = (sessionId: string) => (get(sessionId).shares ?? []).filter((share) => isOpenShare(share, clock.now()));
  return {
    async share({ sessionId, role, name, lifeMs }, by) {
      if (!passes) return fail('SHARE_REFUSED', 'This hub has no HTTP door through which a guest could come.');
      if (open(sessionId).length >= MAX_SHARES)
        fail('SHARE_REFUSED', `Session ${sessionId} is shared ${MAX_SHARES} times already; end one of them with \`revoke\`.`);
      const share = { shareId: ids.base32(ID_LENGTH), role, name, expiresAt: clock.now() + lifeMs };
      await ledger.record({ name: 'session.shared', data: { sessionId, ...share, by } });
      return { ...share, ...passes.grantShare({ sessionId, shareId: share.shareId }) };
    },
    async unshare(sessionId, shareId, by) {
      if (!open(sessionId).some((share) => share.shareId === shareId))
        fail('SHARE_REFUSED', `Session ${sessionId} has no open share "${shareId}".`);
      await ledger.record({ name: 'session.unshared', data: { sessionId, shareId, by } });
    },
    shares: open,
  };
}
