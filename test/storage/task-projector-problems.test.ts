// What the projector cannot write it reports, once for each file and reason, and leaves alone.
import { chmod, link, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { file, ledger, problems, projectEach, projector, root, text, told } from './projector-rig.ts';

projectEach();

describe('what it cannot write it reports, once', () => {
  const reported = () => problems.map(({ code }) => code);

  it.each([
    [
      'symlink',
      async () => {
        await rename(file, join(root, 'real.md'));
        await symlink('../../real.md', file);
      },
    ],
    [
      'symlink',
      async () => {
        await rm(file);
        await symlink('/etc/passwd', file);
      },
    ],
    ['hard_linked', () => link(file, join(root, 'second.md'))],
    ['read_only', () => chmod(file, 0o440)],
    ['not_a_list', () => writeFile(file, '---\nsessions: none\n---\n')],
    ['broken_front_matter', () => writeFile(file, '---\na: [\n---\n')],
    ['toml', () => writeFile(file, '+++\na = 1\n+++\n')],
    ['open_fence', () => writeFile(file, '```\n')],
    ['not_text', () => writeFile(file, Buffer.from('# T', 'utf16le'))],
    ['unreadable', () => writeFile(file, 'x'.repeat(2_000_000))],
    ['missing', () => rm(file)],
    [
      'missing',
      async () => {
        await rm(join(root, '.tasks'), { recursive: true });
        await writeFile(join(root, '.tasks'), 'a file where a folder was');
      },
    ],
    [
      'outside',
      async () => {
        await rm(join(root, '.tasks'), { recursive: true });
        await symlink('/etc', join(root, '.tasks'));
      },
    ],
  ] as const)('%s', async (code, prepare) => {
    await prepare();
    const before = await text().catch(() => 'nothing');
    ledger.queue('a');
    await projector.settled();
    ledger.begin('a');
    await projector.settled();
    expect(problems).toMatchObject([
      { taskId: 'fix-login', code, message: expect.stringMatching(/^Task "fix-login" does not show its sessions: .+\.$/) },
    ]);
    expect(await text().catch(() => 'nothing')).toBe(before);
  });

  it('a deleted file, which does not come back', async () => {
    ledger.queue('a');
    await projector.settled();
    await rm(file);
    ledger.begin('a');
    await projector.settled();
    expect(reported()).toEqual(['missing']);
    expect(await readdir(dirname(file))).toEqual([]);
  });

  it('anew when it was mended in between', async () => {
    for (let round = 0; round < 2; round++) {
      await chmod(file, 0o440);
      ledger.queue(`a-${round}`);
      await projector.settled();
      await chmod(file, 0o640);
      ledger.queue(`b-${round}`);
      await projector.settled();
    }
    expect(reported()).toEqual(['read_only', 'read_only']);
    expect((await told()).map(([id]) => id)).toEqual(['b-0', 'b-1']);
  });

  it('and nothing of it reaches the ledger', () => {
    expect(() => ledger.queue('a', '../outside')).not.toThrow();
    expect(() => ledger.queue('b', '')).not.toThrow();
  });
});
