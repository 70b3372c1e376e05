// Shares with their intervals, and medians with their quartiles: against values from the literature.
import { describe, expect, it } from 'vitest';
import { middle, share } from '../../core/statistics.ts';

describe('a share', () => {
  // Newcombe 1998, table I, Wilson score method
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
    [29, 29, 0.883, 1],
  ])('of %i of %i lies between %f and %f', (count, of, low, high) => {
    expect(share(count, of)).toEqual({ count, of, low, high });
  });

  it('of nothing is not told', () => {
    expect(share(0, 0)).toBeUndefined();
  });
});

describe('the middle', () => {
  it('is the median with its quartiles, whatever the order', () => {
    expect(middle([9, 1, 5])).toEqual({ median: 5, low: 3, high: 7, of: 3 });
    expect(middle([0.4, 0.1, 0.2, 0.3])).toEqual({ median: 0.25, low: 0.175, high: 0.325, of: 4 });
    expect(middle([7])).toEqual({ median: 7, low: 7, high: 7, of: 1 });
    expect(middle([])).toBeUndefined();
  });
});
