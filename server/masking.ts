// Where secrets are learned, and taken out of what is written and read: the environments of sessions, task files, and logs.
import { mapped, seenText } from '../core/hidden-text.ts';
import type { Environments, Logs, TaskDraft, TaskStore } from '../core/ports.ts';
import type { Secrets } from '../core/secrets.ts';
import { createSessionLogs, type SessionLogsOptions } from '../storage/session-logs.ts';

/** The environments, of which each is known to the secrets as soon as it is kept or found. */
export function learningSecrets({ keep, find, ...others }: Environments, secrets: Secrets): Environments {
  return {
    ...others,
    keep(sessionId, env) {
      secrets.learn(env);
      return keep(sessionId, env);
    },
    async find(sessionId) {
      const env = await find(sessionId);
      if (env) secrets.learn(env);
      return env;
    },
  };
}

/** The task files, of which none is made with a secret in it. */
export function withoutSecrets<Tasks extends TaskStore>(tasks: Tasks, secrets: Secrets): Tasks {
  const masked = (draft: TaskDraft) => ({
    ...draft,
    ...secrets.maskAll({ title: draft.title, instruction: draft.instruction }),
  });
  return { ...tasks, create: (draft) => tasks.create(masked(draft)), discard: (draft) => tasks.discard(masked(draft)) };
}

export interface MaskedLogsOptions extends SessionLogsOptions {
  readonly environments: Environments;
  readonly secrets: Secrets;
}

/** The logs as they may be read: without secrets, also those of sessions of an earlier hub, and without what nobody would see. */
export function maskedLogs({ environments, secrets, ...options }: MaskedLogsOptions): Logs {
  const logs = createSessionLogs({
    ...options,
    reader(sessionId) {
      const read = options.reader(sessionId);
      return (line) => read(line).map((entry) => mapped(entry, (text) => secrets.mask(seenText(text))));
    },
  });
  return {
    async page(sessionId, runs, query) {
      // also where they were known before: of very many the oldest are forgotten
      await environments.find(sessionId).catch(() => undefined);
      return logs.page(sessionId, runs, query);
    },
  };
}
