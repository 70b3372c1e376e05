// task_list: the tasks of the workspace with the newest session on each.
import { z } from 'zod';
import type { Orchestrator } from '../core/orchestrator.ts';
import { normalised, TaskRow } from '../core/task.ts';
import { defineTool } from './define.ts';
import { cursor, limit, nextCursor, summary, total } from './fields.ts';
import { pageOf } from './page.ts';

/** So many of the statuses in the files are named where none matches. */
const MOST_STATUSES = 10;

export const taskList = defineTool({
  name: 'task_list',
  title: 'List tasks',
  description:
    'Tasks of this workspace (Markdown files), with their status and the newest session on each. Use it to find the taskId for session_start.',
  effect: 'reads',
  toolset: 'core',
  input: z.strictObject({
    status: z
      .string()
      .max(60)
      .optional()
      .describe('Only with this status; spelling and emoji do not matter: "todo" finds "🟡 To Do".'),
    type: z.string().max(60).optional().describe('Only of this type, such as bug.'),
    area: z.string().max(60).optional().describe('Only of this area.'),
    tags: z.array(z.string().max(60)).max(10).optional().describe('Only with all of these tags.'),
    query: z.string().max(200).optional().describe('Only where id, title or text holds this.'),
    cursor,
    limit: limit(100, 20),
  }),
  output: z.looseObject({ summary, tasks: z.array(TaskRow), total, nextCursor }),
  fails: ['CURSOR_INVALID', 'WORKSPACE_MISSING'],
  examples: [{}, { status: 'todo', limit: 5 }],
  async handle({ cursor, limit, ...filter }, { orchestrator }) {
    const all = (await orchestrator.tasks(filter)).toSorted((a, b) => (a.task.id < b.task.id ? -1 : 1));
    const { rows, nextCursor } = pageOf(all, { cursor, limit, keyOf: ({ task }) => task.id });
    return {
      summary: await summaryOf(orchestrator, rows.length, all.length),
      tasks: rows.map(({ task: { id, title, fields, file }, last }) => ({
        taskId: id,
        title,
        type: text(fields.type),
        status: text(fields.status),
        area: text(fields.area),
        priority: text(fields.priority),
        tags: Array.isArray(fields.tags) ? fields.tags.map(String) : undefined,
        file: below(orchestrator.workspace, file),
        lastSession: last && { id: last.id, status: last.status },
      })),
      total: all.length,
      nextCursor,
    };
  },
  say: ({ summary }) => summary ?? '',
  tables: [
    {
      rows: 'tasks',
      columns: { TASK: 'taskId', STATUS: 'status', TYPE: 'type', AREA: 'area', SESSION: 'lastSession.status', TITLE: 'title' },
    },
  ],
});

/** How many they are; where there are none, where tasks belong, or which statuses there are. */
async function summaryOf(orchestrator: Orchestrator, shown: number, matching: number): Promise<string> {
  const count = `${shown} of ${matching} task${matching === 1 ? '' : 's'}.`;
  if (matching > 0) return count;
  const all = await orchestrator.tasks({});
  const [folder] = orchestrator.settings.current().workspace.taskFolders;
  if (all.length === 0) return `${count} A task is a Markdown file: ${folder}/<id>.task.md.`;
  // without what stands around the words: what is written in a file is data
  const statuses = [...new Set(all.map(({ task }) => normalised(task.fields.status).slice(0, 30)))].filter((word) => word !== '');
  const named = statuses.length === 0 ? '' : ` Statuses are: ${statuses.slice(0, MOST_STATUSES).join(', ')}.`;
  return `${count} None of the ${all.length} there are matches.${named}`;
}

function below(folder: string, file: string): string {
  return file.startsWith(`${folder}/`) ? file.slice(folder.length + 1) : file;
}

function text(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : String(value);
}
