// Settings from files: who wins, what an untrusted workspace may do, and what is said about mistakes.
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSettings, trustWorkspace } from '../../server/settings.ts';

let root = '';
const places = () => ({ workspace: path.join(root, 'w'), configFolder: path.join(root, 'c') });
const user = (value: unknown) => writeFile(path.join(root, 'c', 'scopecraft', 'config.json'), JSON.stringify(value));
const workspace = (value: unknown) => writeFile(path.join(root, 'w', '.scopecraft', 'config.json'), JSON.stringify(value));

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sc-settings-'));
  await mkdir(path.join(root, 'c', 'scopecraft'), { recursive: true });
  await mkdir(path.join(root, 'w', '.scopecraft'), { recursive: true });
});

afterEach(() => rm(root, { recursive: true, force: true }));

describe('settings', () => {
  it('have defaults where no file says anything', async () => {
    const settings = await openSettings(places());
    expect(settings.current()).toMatchObject({
      resources: { maxConcurrentSessions: 3 },
      defaultAgent: 'claude',
      queue: { defaultPriority: 'medium' },
    });
    expect(Object.keys(settings.current().agents)).toEqual(['claude', 'demo']);
    expect([settings.problems(), settings.notes(), settings.untrustedAgents()]).toEqual([[], [], []]);
  });

  it('take the user file, and of an untrusted workspace only lower limits', async () => {
    await user({ resources: { maxConcurrentSessions: 5, sessionTimeoutMs: 60_000 } });
    await workspace({
      resources: { maxConcurrentSessions: 2, sessionTimeoutMs: 90_000 },
      defaultAgent: 'evil',
      server: { idleExitMs: 0 },
      agents: { evil: { kind: 'command', command: 'rm' } },
    });
    const settings = await openSettings(places());
    expect(settings.current()).toMatchObject({
      resources: { maxConcurrentSessions: 2, sessionTimeoutMs: 60_000 },
      defaultAgent: 'claude',
      server: { idleExitMs: 900_000 },
    });
    expect(settings.current().agents).not.toHaveProperty('evil');
    expect(settings.untrustedAgents()).toEqual(['evil']);
    expect(settings.notes()[0]).toContain('not trusted');
  });

  it('take nothing else of an untrusted workspace, whatever it says', async () => {
    await user({ agents: { mine: { kind: 'command', command: 'true' } }, requests: { deny: ['Bash(rm *)'] } });
    const settings = await openSettings(places());
    const before = settings.current();
    const given = {
      agents: { mine: { kind: 'command', command: 'evil', env: ['SECRET'] }, claude: { kind: 'claude', args: ['--evil'] } },
      defaultAgent: 'mine',
      requests: { allow: ['*'], deny: [], timeoutMs: 0 },
      worktrees: { setup: [['evil']], copy: ['.env'] },
      workspace: { taskFolders: ['elsewhere'] },
      delegation: { maxDepth: 10 },
      secrets: { variables: ['X'] },
      prompts: { learning: true },
      budget: { maxCostPerDay: 1 },
      queue: { agingMs: 1000 },
      server: { http: { enabled: true }, toolsets: ['core'], legacyTools: true },
    };
    await workspace(given);
    await settings.refresh();
    expect(settings.problems()).toEqual([]);
    expect(settings.notes()).toHaveLength(1);
    expect(settings.current()).toEqual(before);
    await trustWorkspace(places());
    await settings.refresh();
    const taken = Object.entries(settings.current()).filter(
      ([name, value]) => !isDeepStrictEqual(value, Reflect.get(before, name)),
    );
    expect(taken.map(([name]) => name).toSorted()).toEqual(Object.keys(given).toSorted());
  });

  it('take all of a workspace that was trusted, merged over the user file, until it changes', async () => {
    await user({ resources: { maxConcurrentSessions: 5 }, agents: { mine: { kind: 'demo' } } });
    await workspace({ resources: { maxQueueSize: 7 }, agents: { theirs: { kind: 'command', command: 'true' } }, $schema: 'x' });
    const settings = await openSettings(places());
    const trusted = await trustWorkspace(places());
    expect(trusted?.hash).toMatch(/^[0-9a-f]{64}$/);
    expect((await stat(path.join(root, 'c', 'scopecraft', 'trusted.json'))).mode & 0o777).toBe(0o600);
    await settings.refresh();
    expect(settings.current().resources).toMatchObject({ maxConcurrentSessions: 5, maxQueueSize: 7 });
    expect(Object.keys(settings.current().agents)).toEqual(['claude', 'demo', 'mine', 'theirs']);
    await workspace({ agents: { theirs: { kind: 'command', command: 'false' } } });
    await settings.refresh();
    expect(settings.untrustedAgents()).toEqual(['theirs']);
  });

  it('tell all problems at once, with the nearest known name, and go on with what is right elsewhere', async () => {
    await user({
      resources: { maxConcurentSessions: 1, maxQueueSize: 0 },
      agents: { Bad: { kind: 'claude' }, x: { kind: 'claud', comand: 'y' } },
      nonsense: 1,
    });
    await workspace({ resources: { maxConcurrentSessions: 1 } });
    const settings = await openSettings(places());
    const text = settings.problems().join('\n');
    for (const part of [
      '"resources.maxConcurentSessions". Did you mean "maxConcurrentSessions"?',
      '"resources.maxQueueSize"',
      '"agents.Bad"',
      '"agents.x.kind"',
      '"agents.x.comand". Did you mean "command"?',
      '"nonsense"',
    ]) {
      expect(text).toContain(part);
    }
    expect(settings.current().resources.maxConcurrentSessions).toBe(1);
    await user({});
    await settings.refresh();
    expect(settings.problems()).toEqual([]);
  });

  it('that are no object, or no JSON, are a problem and nothing else', async () => {
    await user([1]);
    await writeFile(path.join(root, 'w', '.scopecraft', 'config.json'), '{');
    const settings = await openSettings(places());
    expect(settings.problems()).toHaveLength(2);
    expect(settings.current().defaultAgent).toBe('claude');
  });

  it('that are there and cannot be read are a problem, not as if there were none', async () => {
    await mkdir(path.join(root, 'c', 'scopecraft', 'config.json'));
    const settings = await openSettings(places());
    expect(settings.problems()).toEqual([`${path.join(root, 'c', 'scopecraft', 'config.json')} cannot be read: EISDIR.`]);
  });

  it.each(['{', '[]', '{"/w": 1}'])(
    'trust nothing where the list of the trusted says %s, and a new trust makes it anew',
    async (text) => {
      await workspace({ agents: { theirs: { kind: 'command', command: 'true' } } });
      await writeFile(path.join(root, 'c', 'scopecraft', 'trusted.json'), text);
      const settings = await openSettings(places());
      expect(settings.untrustedAgents()).toEqual(['theirs']);
      await trustWorkspace(places());
      await settings.refresh();
      expect(settings.untrustedAgents()).toEqual([]);
      expect(settings.current().agents).toHaveProperty('theirs');
    },
  );

  it('cannot be trusted where there is no file', async () => {
    expect(await trustWorkspace({ ...places(), workspace: root })).toBeUndefined();
    expect(await trustWorkspace({ ...places(), workspace: undefined })).toBeUndefined();
  });
});
