// Which doors a hub lets in, by their version and by what they speak.
import { expect, test } from 'vitest';
import { PROTOCOL } from '../../server/version.ts';
import { refusalOf } from '../../server/wire.ts';

const HUB = '1.2.0';
const same = { protocolMin: PROTOCOL.min, protocolMax: PROTOCOL.max };
const later = { protocolMin: PROTOCOL.max + 1, protocolMax: PROTOCOL.max + 2 };
const earlier = { protocolMin: PROTOCOL.min - 2, protocolMax: PROTOCOL.min - 1 };

test.each([
  ['of the same version is let in', { version: HUB, ...same }, true],
  ['that speaks this and more is let in', { version: HUB, protocolMin: PROTOCOL.min - 1, protocolMax: PROTOCOL.max + 1 }, true],
  ['of the same version that speaks nothing of it is not', { version: HUB, ...later }, false],
  ['that is older is not', { version: '1.1.9', ...same }, false],
  ['that is older goes on where its hub was replaced', { version: '1.1.9', ...same, returning: true }, true],
  ['that is older goes on only where both speak the same', { version: '1.1.9', ...earlier, returning: true }, false],
  ['that is newer is let in, to ask for room, whatever it speaks', { version: '1.3.0', ...later }, true],
])('a door %s', (_which, door, isLetIn) => {
  const refusal = refusalOf({ kind: 'door', ...door }, HUB);
  expect(refusal === undefined).toBe(isLetIn);
  if (!isLetIn)
    expect(refusal).toEqual({
      code: 'HUB_VERSION',
      message: `The hub of this workspace runs version ${HUB}, this program is ${door.version}: update it and start it again.`,
    });
});
