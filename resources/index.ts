// Every resource.
import type { Resource } from './define.ts';
import { eventsRecent } from './events-recent.ts';
import { queueStatus } from './queue-status.ts';
import { session } from './session.ts';
import { sessionLog } from './session-log.ts';
import { sessionLogRange } from './session-log-range.ts';
import { taskHistory } from './task-history.ts';

export const RESOURCES: readonly Resource[] = [queueStatus, eventsRecent, session, sessionLog, sessionLogRange, taskHistory];
