// Sharing a session: a guest gets a token for it alone, with a role and an end; who may come is a fact of the session, the token is not.
import { isOpenShare, type Share, type ShareRole } from './access.ts';
import { fail } from './errors.ts';
import type { UsedKey } from './ledger.ts';
import { namedSession } from './named-session.ts';
import { type CallKey, createOnce, factOf, type Keyed, type OnceParts } from './once.ts';
import type { Clock, Ids, Passes } from './ports.ts';

export interface SharingParts extends OnceParts {
  readonly clock: Clock;
  readonly ids: Ids;
  /** Not there where nobody can come from outside. */
  readonly passes?: Passes | undefined;
}

export interface ShareRequest extends Keyed {
  readonly sessionId: string;
  readonly role: ShareRole;
  /** Whom it is for, in words. */
  readonly name: string;
  readonly lifeMs: number;
}

export interface UnshareRequest extends Keyed {
  readonly sessionId: string;
  readonly shareId: string;
}

/** What the guest needs. */
export interface Shared extends Share {
  readonly url: string;
  readonly token: string;
}

export interface SharingDeeds {
  /** Shares a session; the same call, sent again, answers with the share it made. Fails with SESSION_NOT_FOUND, SHARE_REFUSED or REQUEST_KEY_REUSED. */
  share(request: ShareRequest, by: string): Promise<Shared>;
  /** Ends a share at once. Fails with SESSION_NOT_FOUND, SHARE_REFUSED or REQUEST_KEY_REUSED. */
  unshare(request: UnshareRequest, by: string): Promise<void>;
  /** Shares of a session that are open now, oldest first. */
  shares(sessionId: string): readonly Share[];
}

/** Most shares of one session that are open at once. */
const MAX_SHARES = 50;
const ID_LENGTH = 8;

export function createSharing(parts: SharingParts): SharingDeeds {
  const { ledger, clock, ids, passes } = parts;
  const once = createOnce(parts);
  const get = (sessionId: string) => namedSession(ledger, sessionId);
  const open = (sessionId: string) => (get(sessionId).shares ?? []).filter((share) => isOpenShare(share, clock.now()));
  const make = async ({ sessionId, role, name, lifeMs }: ShareRequest, by: string, call: CallKey | undefined): Promise<Share> => {
    if (open(sessionId).length >= MAX_SHARES)
      fail('SHARE_REFUSED', `Session ${sessionId} is shared ${MAX_SHARES} times already; end one of them with \`revoke\`.`);
    const share = { shareId: ids.base32(ID_LENGTH), role, name, expiresAt: clock.now() + lifeMs };
    await ledger.record({ name: 'session.shared', data: { sessionId, ...share, by, ...call } });
    return share;
  };
  /** The share that the call made when it came before. */
  const made = async (used: UsedKey): Promise<Share> => {
    const fact = await factOf(ledger, used);
    const shareId = fact?.name === 'session.shared' ? fact.data.shareId : undefined;
    return (
      open(used.sessionId).find((share) => share.shareId === shareId) ??
      fail('SHARE_REFUSED', `The share that this call made of session ${used.sessionId} is over.`)
    );
  };

  return {
    async share(request, by) {
      const { requestKey, ...asked } = request;
      if (!passes) return fail('SHARE_REFUSED', 'This hub has no HTTP door through which a guest could come.');
      const share = await once(requestKey, { deed: 'share', ...asked }, (call, used) =>
        used ? made(used) : make(request, by, call),
      );
      return { ...share, ...passes.grantShare({ sessionId: request.sessionId, shareId: share.shareId }) };
    },
    unshare: ({ sessionId, shareId, requestKey }, by) =>
      once(requestKey, { deed: 'unshare', sessionId, shareId }, async (call, used) => {
        if (used) return;
        if (!open(sessionId).some((share) => share.shareId === shareId))
          fail('SHARE_REFUSED', `Session ${sessionId} has no open share "${shareId}".`);
        await ledger.record({ name: 'session.unshared', data: { sessionId, shareId, by, ...call } });
      }),
    shares: open,
  };
}
