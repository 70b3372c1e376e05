// Which uses of tools are allowed or denied without asking: rules never allow more than they show, and globs are what they seem.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decisionOf, matchesGlob, toolUseText } from '../../core/permissions.ts';

const NOTHING = { requests: undefined };
const bash = (command: string) => ({ tool: 'Bash', input: { command } });
const allowed = (rule: string, use: { tool: string; input: unknown }) =>
  decisionOf(use, { allow: [rule], deny: [] }, NOTHING)?.decision === 'allow';
const denied = (rule: string, use: { tool: string; input: unknown }) =>
  decisionOf(use, { allow: ['*'], deny: [rule] }, NOTHING)?.decision === 'deny';

describe('a rule that allows', () => {
  it.each([
    ['Read', { tool: 'Read', input: { file_path: '/w/a' } }],
    ['mcp__github__*', { tool: 'mcp__github__list', input: {} }],
    ['Bash(npm test*)', bash('npm test -- --watch')],
    ['Bash(npm test:*)', bash('npm test')],
    ['Bash(npm test:*)', bash('npm test -- core')],
    ['Bash(npm ci && npm test)', bash('npm ci && npm test')],
    ['Bash', bash('cd /w; ls | wc -l')],
    ['Read(/w/src/*)', { tool: 'Read', input: { file_path: '/w/src/a.ts' } }],
    ['WebFetch(https://example.com/*)', { tool: 'WebFetch', input: { url: 'https://example.com/a', prompt: 'what is it?' } }],
    ['NotebookEdit(/w/*)', { tool: 'NotebookEdit', input: { notebook_path: '/w/a.ipynb' } }],
    ['mcp__files__write(/w/*)', { tool: 'mcp__files__write', input: { path: '/w/a', content: 'x' } }],
    ['mcp__sum__add({"a":1,*)', { tool: 'mcp__sum__add', input: { a: 1, b: 2 } }],
  ])('%s allows %j', (rule, use) => {
    expect(allowed(rule, use)).toBe(true);
  });

  const NOT_ALLOWED: readonly (readonly [rule: string, use: { tool: string; input: unknown }])[] = [
    ['Read', { tool: 'Write', input: { file_path: '/w/a' } }],
    ['Bash(npm test)', bash('npm test x')],
    ['Bash(npm test:*)', bash('npm testing')],
    ['Bash(npm test:*)', bash('npm test; rm -rf /')],
    ...[
      '; rm -rf /',
      ' && rm x',
      ' & rm x',
      ' | sh',
      '\nrm x',
      '\rrm x',
      ' `rm x`',
      ' $(rm x)',
      ' > /etc/passwd',
      ' < /etc/shadow',
      ' <(rm x)',
      ' =(rm x)',
      " *(e:'rm x':)",
    ].map((more) => ['Bash(npm test*)', bash(`npm test${more}`)] as const),
    ['*(npm test*)', bash('npm test; rm x')],
    ['PowerShell(npm test*)', { tool: 'PowerShell', input: { command: 'npm test; rm x' } }],
    ['mcp__shell__run(npm test*)', { tool: 'mcp__shell__run', input: { command: 'npm test; rm x' } }],
    ['Read(/w/src/*)', { tool: 'Read', input: { file_path: '/w/src/../../etc/shadow' } }],
    ['mcp__files__read(/w/*)', { tool: 'mcp__files__read', input: { path: '/w/../etc/shadow' } }],
    ['Write(/w/*)', { tool: 'Write', input: { command: '/w/a', file_path: '/etc/passwd' } }],
    ['mcp__files__write(/w/*)', { tool: 'mcp__files__write', input: { command: '/w/a', path: '/etc/passwd' } }],
    ['Bash(npm test*)', { tool: 'Bash', input: { command: ['rm'], file_path: 'npm test' } }],
    ['Bash()', bash('ls')],
    ['Bash(npm test*', bash('npm test')],
  ];
  it.each(NOT_ALLOWED)('%s does not allow %j', (rule, use) => {
    expect(allowed(rule, use)).toBe(false);
  });

  it('is named as the one who decided', () => {
    expect(decisionOf(bash('ls'), { allow: ['Bash(ls)'], deny: [] }, NOTHING)).toEqual({ decision: 'allow', by: 'the settings' });
  });
});

describe('a rule that denies', () => {
  it.each([
    ['Bash(rm *)', bash('rm -rf /')],
    ['Bash(rm *)', bash('cd / && rm -rf x')],
    ['Bash(rm *)', bash('true;rm -rf x')],
    ['Bash(rm *)', bash('echo $(rm -rf x)')],
    ['Bash(rm:*)', bash('rm\t-rf x')],
    ['Read(/w/secret/*)', { tool: 'Read', input: { file_path: '/w/a/../secret/key' } }],
    ['Read(/w/secret/*)', { tool: 'Read', input: { file_path: '/w//./secret/key' } }],
    ['Read(secret/*)', { tool: 'Read', input: { file_path: './secret/key' } }],
    ['mcp__files__read(/etc/*)', { tool: 'mcp__files__read', input: { command: 'x', path: '/etc/shadow' } }],
    ['mcp__*', { tool: 'mcp__github__push', input: {} }],
  ])('%s denies %j, whatever else is allowed', (rule, use) => {
    expect(denied(rule, use)).toBe(true);
  });

  it.each([
    ['Bash(rm *)', bash('npm run rm')],
    ['Read(/w/secret/*)', { tool: 'Read', input: { file_path: '/w/secrets' } }],
    ['Read(/w/secret/*)', { tool: 'Write', input: { file_path: '/w/secret/key' } }],
  ])('%s does not deny %j', (rule, use) => {
    expect(denied(rule, use)).toBe(false);
  });

  it('says which one it is', () => {
    expect(decisionOf(bash('rm x'), { allow: [], deny: ['Bash(rm *)'] }, NOTHING)).toEqual({
      decision: 'deny',
      text: 'The rule "Bash(rm *)" of the settings denies it.',
      by: 'the settings',
    });
  });
});

describe('what was answered for the rest of the session', () => {
  const answer = { decision: 'allow', remember: true, by: 'me', at: 2 } as const;
  const asked = { requestId: 's.1', kind: 'permission', text: 'Bash: ls', tool: 'Bash', run: 1, askedAt: 1 } as const;
  const rules = { allow: [], deny: ['Bash(rm *)'] };

  it('decides every later use of that tool, the newest answer first, but not against a rule that denies', () => {
    const session = { requests: [{ ...asked, answer }] };
    expect(decisionOf(bash('npm ci'), rules, session)).toEqual({ decision: 'allow', by: 'me' });
    expect(decisionOf(bash('rm x'), rules, session)).toMatchObject({ decision: 'deny', by: 'the settings' });
    expect(decisionOf({ tool: 'Write', input: {} }, rules, session)).toBeUndefined();
    const later = { ...asked, requestId: 's.2', answer: { ...answer, decision: 'deny', text: 'enough' } } as const;
    expect(decisionOf(bash('npm ci'), rules, { requests: [{ ...asked, answer }, later] })).toEqual({
      decision: 'deny',
      text: 'enough',
      by: 'me',
    });
  });

  it('goes before a rule that allows', () => {
    const session = { requests: [{ ...asked, answer: { ...answer, decision: 'deny' } as const }] };
    expect(decisionOf(bash('ls'), { allow: ['Bash'], deny: [] }, session)).toMatchObject({ decision: 'deny', by: 'me' });
  });

  it('is only what was to be remembered', () => {
    const session = { requests: [asked, { ...asked, answer: { decision: 'allow', by: 'me', at: 2 } as const }] };
    expect(decisionOf(bash('ls'), rules, session)).toBeUndefined();
  });
});

describe('the line that says what a tool would do', () => {
  it.each([
    ['Bash', { command: 'npm  test\t-x' }, 'Bash: npm test -x'],
    ['Bash', { command: 'npm test\n\n  rm -rf /' }, 'Bash: npm test ⏎ rm -rf /'],
    ['Write', { file_path: '/w/a', content: 'b' }, 'Write: /w/a'],
    ['mcp__x__y', { command: '/w/a', path: '/etc' }, 'mcp__x__y: {"command":"/w/a","path":"/etc"}'],
    ['mcp__x__y', { n: 1 }, 'mcp__x__y: {"n":1}'],
    ['mcp__x__y', undefined, 'mcp__x__y: {}'],
    ['mcp__x__y', 'text', 'mcp__x__y: "text"'],
  ])('of %s %j is %s', (tool, input, line) => {
    expect(toolUseText(tool, input)).toBe(line);
  });

  it('shows that it was cut', () => {
    expect(toolUseText('Bash', { command: 'x'.repeat(301) })).toBe(`Bash: ${'x'.repeat(300)}…`);
    expect(toolUseText('Bash', { command: `ls ${' '.repeat(2_000_000)}; rm x` })).toBe('Bash: ls…');
  });
});

/** The same by trying everything. */
function naiveMatch(glob: string, text: string): boolean {
  if (glob === '') return text === '';
  if (glob.startsWith('*'))
    return Array.from({ length: text.length + 1 }, (_, at) => at).some((at) => naiveMatch(glob.slice(1), text.slice(at)));
  return text[0] === glob[0] && text !== '' && naiveMatch(glob.slice(1), text.slice(1));
}

describe('a glob', () => {
  const letters = (also: readonly string[], maxLength: number) =>
    fc.array(fc.constantFrom('a', 'b', '.', '(', ...also), { maxLength }).map((all) => all.join(''));

  it('matches what a naive matcher does', () => {
    fc.assert(
      fc.property(letters(['*', '*'], 8), letters(['*'], 10), (glob, text) => matchesGlob(glob, text) === naiveMatch(glob, text)),
      { numRuns: 3000 },
    );
  });

  it('matches every text that it was made from', () => {
    fc.assert(
      fc.property(
        fc.array(letters([], 4), { minLength: 1, maxLength: 6 }),
        fc.array(letters([], 5), { minLength: 6 }),
        (parts, fill) =>
          matchesGlob(parts.join('*'), parts.map((part, at) => (at === 0 ? part : `${fill[at] ?? ''}${part}`)).join('')),
      ),
    );
  });

  it('takes time that grows with the text and not with its square, also where it nearly matches everywhere', () => {
    const glob = `${'*a'.repeat(120)}*b`;
    const took = (length: number) => {
      const text = 'a'.repeat(length);
      const best = Array.from({ length: 5 }, () => {
        const from = performance.now();
        expect(matchesGlob(glob, text)).toBe(false);
        expect(matchesGlob(`*${'a'.repeat(100)}b*`, text)).toBe(false);
        return performance.now() - from;
      });
      return Math.min(...best);
    };
    // 16 times the text: 256 times the time if it were the square
    expect(took(1_600_000)).toBeLessThan(Math.max(1, took(100_000)) * 100);
  });
});
