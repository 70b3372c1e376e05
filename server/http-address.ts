// Addresses at which clients are served over HTTP, and which of them are refused.
import type { AddressRules } from './http-guard.ts';

/** An address at which clients with a token are served. */
export interface ServedAddress {
  readonly host: string;
  /** 0: the kept one, where it is on loopback, else any. */
  readonly port: number;
  readonly rules: AddressRules;
  /** What their sessions get values of variables from. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Why clients are not served at this address, in a sentence. */
export function addressProblem({ host, rules }: Pick<ServedAddress, 'host' | 'rules'>): string | undefined {
  if (/^(localhost|127(\.\d{1,3}){3}|::1)$/.test(host)) return undefined;
  if (!rules.isBehindTls)
    return `"${host}" can be reached by other machines; tokens would pass over the wire in the clear. Put a proxy that speaks TLS in front, and say so with --behind-tls (server.http.behindTls).`;
  return rules.hosts.length > 0
    ? undefined
    : `Behind a proxy the name it is called by must be given with --allow-host (server.http.hosts).`;
}
