import { describe, expect, it } from 'vitest';
import { bytesOf, Size, sizeText } from '../../core/size.ts';

const MB = 1024 ** 2;
const GB = 1024 ** 3;

describe('a size', () => {
  it('counts by 1024', () => {
    expect(['0', '10', '1B', '1KB', '1.5 MB', '4gb', '2T'].map((text) => bytesOf(Size.parse(text)))).toEqual([
      0,
      10,
      1,
      1024,
      1.5 * MB,
      4 * GB,
      2048 * GB,
    ]);
    expect([0, 1, 1023, 1024, 1.55 * MB, 4 * GB, 5000 * 1024 * GB].map(sizeText)).toEqual([
      '0 B',
      '1 B',
      '1023 B',
      '1 KB',
      '1.6 MB',
      '4 GB',
      '5000 TB',
    ]);
  });

  it('is nothing else', () => {
    for (const text of ['', 'GB', '-1GB', '4 G B', '4GiB', '1e3', '4,5GB', '4GB '])
      expect(Size.safeParse(text).success, text).toBe(false);
    expect(Size.safeParse('4 apples').error?.issues[0]?.message).toBe('Must be a size such as "512MB" or "4GB"');
  });
});
