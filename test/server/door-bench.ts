// Doors of one build in workspaces of their own, ended and removed after each test of the file that asks for them.
import { rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { buildPrograms, clearWorkspace, type Door, type Json, makeWorkspace, openDoor, readOr } from '../support/hub-bench.ts';

export function doorBench() {
  const doors: Door[] = [];
  const workspaces: string[] = [];
  let programs = '';
  beforeAll(async () => {
    programs = await buildPrograms('1.0.0');
  });
  afterEach(async () => {
    for (const door of doors.splice(0)) door.process.kill('SIGKILL');
    for (const workspace of workspaces.splice(0)) await clearWorkspace(workspace);
  });
  afterAll(() => rmSync(programs, { recursive: true, force: true }));
  return {
    /** What is ended and removed after the test. */
    doors,
    workspaces,
    /** The folder of the bundles. */
    programs: () => programs,
    open(options: Parameters<typeof openDoor>[1] = {}): { door: Door; workspace: string } {
      const workspace = options.workspace ?? makeWorkspace();
      workspaces.push(workspace);
      const door = openDoor(programs, { ...options, workspace });
      doors.push(door);
      return { door, workspace };
    },
    /** What the echo hub of a workspace was asked. */
    calls: (workspace: string): Json[] =>
      readOr(path.join(workspace, 'calls.log'))
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
  };
}
