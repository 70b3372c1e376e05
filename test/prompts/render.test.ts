// What an agent is told about the session it works in.
import { expect, it } from 'vitest';
import { prompts } from '../../prompts/render.ts';
import { sessionOf } from '../storage/sessions.ts';

it('tells an agent to ask with session_ask where nobody watches, and only there', () => {
  const told = (type: 'autonomous' | 'interactive') => prompts.briefing(sessionOf('a', { type }), undefined);
  expect(told('autonomous')).toContain('session_ask');
  expect(told('interactive')).not.toMatch(/session_ask|Nobody/);
});
