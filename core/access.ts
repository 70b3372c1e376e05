// What a token lets its holder do: the scopes of a client's token, and the roles of one that was made for a single session.

/** Each may do what those before it may. */
export const SCOPES = ['read', 'operate', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

export const SHARE_ROLES = ['watch', 'prompt'] as const;
export type ShareRole = (typeof SHARE_ROLES)[number];

/** A session that was shared: who may do what with it, and how long. */
export interface Share {
  readonly shareId: string;
  readonly role: ShareRole;
  /** Whom it is for, in words. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** True while its token is good. */
export function isOpenShare({ expiresAt }: Share, now: number): boolean {
  return now < expiresAt;
}

/** Tools that need `admin` though they do not stand in the toolset of that name. */
const FOR_ADMINS: readonly string[] = ['session_config'];

/** The least scope a client needs for a tool. */
export function scopeOf(tool: { readonly name: string; readonly effect: string; readonly toolset: string }): Scope {
  if (tool.effect === 'reads') return 'read';
  return tool.toolset === 'admin' || FOR_ADMINS.includes(tool.name) ? 'admin' : 'operate';
}

export function includes(scope: Scope, needed: Scope): boolean {
  return SCOPES.indexOf(scope) >= SCOPES.indexOf(needed);
}

/** Tools of a guest with this role. */
export function toolsOfRole(role: ShareRole): readonly string[] {
  const watching = ['session_get', 'session_wait', 'session_logs', 'request_list'];
  return role === 'prompt' ? [...watching, 'session_prompt'] : watching;
}
