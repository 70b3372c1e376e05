// What the package exports: the typed client, its errors, and the keeper of channelcoder's sessions.
export { type ErrorCode, ScopecraftError } from '../core/errors.ts';
export { TaskSessionStorage, type TaskSessionStorageOptions } from '../storage/channelcoder/task-session-storage.ts';
export { type ConnectOptions, connect, type ScopecraftClient } from './connect.ts';
export type { CallOptions, ResourceText, Watching } from './hub-connection.ts';
export {
  type HookedSession,
  type HookOptions,
  type HookSubscription,
  SessionError,
  type SessionHooks,
  type SessionResult,
} from './session-hooks.ts';
export type { Answer, Arguments, ToolMethods } from './tool-methods.ts';
