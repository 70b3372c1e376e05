// Who it is that has a token: what the token itself tells, and whether its bearer may still come.
import { isOpenShare, type Share } from '../core/access.ts';
import { ScopecraftError } from '../core/errors.ts';
import type { ClientTokens } from './client-tokens.ts';
import type { HttpCaller } from './http-caller.ts';
import { badToken, type HttpRefusal, unauthorized } from './http-guard.ts';
import type { RunIdentity, RunTokens, ShareIdentity } from './token.ts';

export interface IdentityParts {
  readonly tokens: RunTokens;
  readonly clientTokens: ClientTokens;
  /** True while somebody serves clients. */
  readonly isServed: () => boolean;
  readonly log: (line: string) => void;
}

/** What is known of those who come once the hub has read its ledger. */
export interface Known {
  /** True from the moment the run is being started until it has settled. */
  readonly isActive: (identity: RunIdentity) => boolean;
  readonly share: (identity: ShareIdentity) => Share | undefined;
  readonly settings: () => { readonly enabled: boolean };
}

export interface Identity {
  /** Who has this token, as far as the token itself tells. */
  claimed(token: string): Promise<HttpCaller | HttpRefusal>;
  /** The caller as it is now, or why it is turned away. */
  current(caller: HttpCaller, known: Known): HttpCaller | HttpRefusal;
}

export function createIdentity({ tokens, clientTokens, isServed, log }: IdentityParts): Identity {
  return {
    async claimed(token) {
      const run = tokens.check(token);
      if (run) return { kind: 'run', ...run };
      const share = tokens.checkShare(token);
      // what it may do is known to the ledger
      if (share) return { kind: 'guest', ...share, role: 'watch', name: '' };
      try {
        const scope = await clientTokens.check(token);
        return scope === undefined ? badToken : { kind: 'client', scope };
      } catch (error) {
        if (!(error instanceof ScopecraftError)) throw error;
        log(`http: ${error.message}`);
        return unauthorized(
          'The file of this token can be read by others, so it is not valid; `sc token rotate` makes a new one.',
          ', error="invalid_token"',
        );
      }
    },
    current(caller, { isActive, share, settings }) {
      if (caller.kind === 'run') return isActive(caller) ? caller : badToken;
      if (caller.kind === 'guest') {
        const found = share(caller);
        return found && isOpenShare(found, Date.now()) ? { ...caller, role: found.role, name: found.name } : badToken;
      }
      if (isServed() || settings().enabled) return caller;
      return unauthorized('Clients are not served over HTTP now; `sc serve --http` does.', ', error="invalid_token"');
    },
  };
}
