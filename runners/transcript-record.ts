// What a transcript of Claude Code holds besides what was said: modes, snapshots, attachments, counters. Nearly all of it is housekeeping.
// Such records name their session as `sessionId`; stream-json says `session_id`.
import { z } from 'zod';
import type { LogEntry } from '../core/ports.ts';
import { withoutPasteMarks } from './pasted.ts';

const Housekeeping = z.looseObject({
  type: z.string(),
  sessionId: z.string().optional(),
  messageId: z.string().optional(),
  isMeta: z.boolean().optional(),
  timestamp: z.string().optional(),
  attachment: z.looseObject({ type: z.string(), prompt: z.string().optional(), commandMode: z.string().optional() }).optional(),
});

const SPOKEN = ['user', 'assistant'];

/** The entries of a record that is only in transcripts, nearly always none; undefined when it is another record. */
export function transcriptOnly(record: unknown): readonly Omit<LogEntry, 'seq'>[] | undefined {
  const read = Housekeeping.safeParse(record);
  if (!read.success) return undefined;
  const { type, sessionId, messageId, isMeta, attachment, timestamp } = read.data;
  if (sessionId === undefined && !(type === 'file-history-snapshot' && messageId !== undefined)) return undefined;
  if (SPOKEN.includes(type)) return isMeta ? [] : undefined;
  // said while it worked, and taken up between two steps; perhaps by itself, that a task has ended
  if (attachment?.type === 'queued_command' && attachment.prompt !== undefined) {
    const kind = attachment.commandMode === 'task-notification' ? 'output' : 'prompt';
    return [{ kind, text: withoutPasteMarks(attachment.prompt), ...(timestamp !== undefined && { at: timestamp }) }];
  }
  return [];
}
