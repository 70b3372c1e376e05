// Which tools are listed to whom.
import { describe, expect, it } from 'vitest';
import { listing, SESSION_TOOLS } from '../../server/listing.ts';
import { TOOLS } from '../../tools/index.ts';

const namesFor = (toolsets: readonly string[], kind = 'door') =>
  listing({ toolsets, legacy: false })
    .of({ kind })
    .map(({ name }) => name);
const namesOf = (...toolsets: string[]) => TOOLS.filter(({ toolset }) => toolsets.includes(toolset)).map(({ name }) => name);

describe('the list of tools', () => {
  it('has those of core always, and those of the sets that the settings name besides', () => {
    expect(namesFor([])).toEqual(namesOf('core'));
    expect(namesFor(['queue'])).toEqual(namesOf('core', 'queue'));
    expect(namesFor(['core', 'admin'])).toEqual(namesOf('core', 'admin'));
    expect(namesFor(['all'])).toEqual(namesOf('core', 'queue', 'prompts', 'admin'));
  });

  it('is the same for sessions whatever the settings name', () => {
    for (const toolsets of [[], ['all']]) expect(namesFor(toolsets, 'session').toSorted()).toEqual([...SESSION_TOOLS].sort());
  });
});
