// Disks that are soon full: a small file system mounted for a test where that is allowed, and segments that take so many bytes and no more.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openSegmentFile, type SegmentFile } from '../../storage/embedded/journal.ts';

export interface LimitedDisk {
  /** Bytes that can still be written. */
  left: number;
  /** Called before each deed, such as `write`; may throw in its place. */
  onCall: (deed: 'open' | 'write' | 'datasync' | 'truncate' | 'stat') => void;
  openSegment(file: string, isNew: boolean): Promise<SegmentFile>;
}

/** What the system says when there is no space left. */
export function noSpace(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
}

/** Real files behind a limit: the last write that fits in part is taken in part, as disks do. */
export function limitedDisk(left = Number.POSITIVE_INFINITY): LimitedDisk {
  const disk: LimitedDisk = {
    left,
    onCall: () => {},
    async openSegment(file, isNew) {
      disk.onCall('open');
      const segment = await openSegmentFile(file, isNew);
      return {
        async write(bytes, offset, length) {
          disk.onCall('write');
          if (disk.left <= 0) throw noSpace();
          const { bytesWritten } = await segment.write(bytes, offset, Math.min(length, disk.left));
          disk.left -= bytesWritten;
          return { bytesWritten };
        },
        async datasync() {
          disk.onCall('datasync');
          await segment.datasync();
        },
        async truncate(length) {
          disk.onCall('truncate');
          disk.left += statSync(file).size - length;
          await segment.truncate(length);
        },
        async stat() {
          disk.onCall('stat');
          return segment.stat();
        },
        close: () => segment.close(),
      };
    },
  };
  return disk;
}

export interface SmallDisk {
  readonly folder: string;
  /** Fills it to the last byte, or until so many bytes are left. */
  fill(leave?: number): Promise<void>;
  /** Removes what filled it. */
  empty(): Promise<void>;
  unmount(): void;
}

/** True where this process may mount file systems. */
export const CAN_MOUNT = (() => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sc-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
})();

/** Mounts a file system of so many bytes at a folder, which is made. Only where CAN_MOUNT. */
export function mountSmallDisk(folder: string, bytes: number): SmallDisk {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'tmpfs', folder]);
  const filler = path.join(folder, '.filler');
  return {
    folder,
    async fill(leave = 0) {
      const { bavail, bsize } = await statfs(folder);
      const size = Math.max(0, bavail * bsize - leave);
      // others write to it at the same time: then it is full before
      await writeFile(filler, Buffer.alloc(size), { flag: 'a' }).catch((error: { readonly code?: string }) =>
        error.code === 'ENOSPC' ? undefined : Promise.reject(error),
      );
    },
    empty: () => rm(filler, { force: true }),
    unmount: () => execFileSync('umount', ['-l', folder]),
  };
}
