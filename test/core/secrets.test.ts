// Secrets are masked however they are written; what only looks a little like one stays, and no text makes the search slow.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSecrets, MASK } from '../../core/secrets.ts';

const VALUE = 'correct-horse/battery+staple';
const X40 = 'aB3'.repeat(14);

describe('the value of a variable', () => {
  const secrets = createSecrets(() => ['PIN_OF_THE_DOOR']);
  secrets.learn({
    MY_API_KEY: VALUE,
    PIN_OF_THE_DOOR: '12345678',
    DB_PASSWORD: 'quo"ted\npass',
    NODE_ENV: 'production',
    SHORT_TOKEN: 'abc',
    PATH: '/usr/local/bin',
    DEPLOY_KEY: `-----BEGIN X-----\n${'MIIEvQIBADANBgkqhkiG9w0B'}\n${'AQEFAASCBKcwggSjAgEAAoIB'}\n-----END X-----`,
  });
  it.each([
    ['as it is', `key=${VALUE}!`, `key=${MASK}!`],
    ['twice', `${VALUE}${VALUE}`, `${MASK}${MASK}`],
    ['in an address', `?key=${encodeURIComponent(VALUE)}&x`, `?key=${MASK}&x`],
    ['in JSON', JSON.stringify({ p: 'quo"ted\npass' }), `{"p":"${MASK}"}`],
    ['named in the settings', 'it is 12345678.', `it is ${MASK}.`],
    ['by a line of a long one', '  AQEFAASCBKcwggSjAgEAAoIB', `  ${MASK}`],
  ])('is masked %s', (_, text, expected) => expect(secrets.mask(text)).toBe(expected));

  it('is masked in base64, wherever it stands in what was encoded', () => {
    for (const before of ['', 'u', 'us', 'user:', 'somebody:'])
      for (const after of ['', '!', '!!', '!!!']) {
        const masked = secrets.mask(Buffer.from(before + VALUE + after).toString('base64'));
        expect(masked).toContain(MASK);
        expect(Buffer.from(masked.replace(MASK, ''), 'base64').toString('latin1')).not.toContain('battery');
      }
  });

  it('stays where it is no secret, or too short to be told from words', () =>
    expect(secrets.mask('production abc /usr/local/bin')).toBe('production abc /usr/local/bin'));

  it('is masked wherever it stands in any text', () =>
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        expect(secrets.mask(`${before}${VALUE}${after}`)).not.toContain(VALUE);
      }),
    ));

  it('is masked in every text of a value, but ids stay what they are', () => {
    const value = {
      name: VALUE,
      data: { sessionId: VALUE, sessionIds: [VALUE], text: `say ${VALUE}`, list: [VALUE, 1, null, undefined, true] },
    };
    expect(secrets.maskAll(value)).toEqual({
      name: VALUE,
      data: { sessionId: VALUE, sessionIds: [VALUE], text: `say ${MASK}`, list: [MASK, 1, null, undefined, true] },
    });
  });

  it('stays where it is a word of ours, for a fact in which that is masked could not be read again', () => {
    const secrets = createSecrets();
    secrets.learn({ GIT_CREDENTIALS_MODE: 'interactive', CAUSE_KEY: 'queue_timeout', API_KEY: 'interactive-2' });
    const fact = { type: 'interactive', cause: { kind: 'queue_timeout' }, agent: 'interactive-2', reason: 'interactive-2' };
    expect(secrets.maskAll(fact)).toEqual({ ...fact, reason: MASK });
  });

  it('is forgotten only when thousands came after it', () => {
    const many = createSecrets();
    for (let at = 0; at < 3000; at++) many.learn({ A_TOKEN: `value-number-${at}-x` });
    expect(many.mask('value-number-2999-x')).toBe(MASK);
    expect(many.mask('value-number-0-x')).toBe('value-number-0-x');
  });

  it('is not forgotten while it is learned again', () => {
    const many = createSecrets();
    for (let at = 0; at < 3000; at++) {
      many.learn({ A_TOKEN: `value-number-${at}-x` });
      if (at % 100 === 0) many.learn({ B_TOKEN: 'again-and-again' });
    }
    expect(many.mask('again-and-again')).toBe(MASK);
  });
});

describe('a key that is known by its form', () => {
  const { mask } = createSecrets();
  it.each([
    `sk-ant-api03-${X40}`,
    `sk-proj-${X40}`,
    `ghp_${'a1B2'.repeat(9)}`,
    `github_pat_${X40}`,
    `glpat-${'x'.repeat(20)}`,
    'xoxb-123456789012-abcdefABCDEF',
    'AKIAIOSFODNN7EXAMPLE',
    `AIza${'b'.repeat(35)}`,
    `npm_${'a1B2'.repeat(9)}`,
    `sk_live_${'c'.repeat(24)}`,
    `hf_${'d'.repeat(34)}`,
    `SG.${'e'.repeat(22)}.${'f'.repeat(43)}`,
    `sct_admin_${'g'.repeat(43)}`,
    `sc_${'h'.repeat(20)}.${'i'.repeat(43)}`,
    `scs_${'h'.repeat(20)}.${'i'.repeat(43)}`,
    `eyJ${'j'.repeat(20)}.eyJ${'k'.repeat(20)}.${'l'.repeat(20)}`,
    '-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ==\n-----END RSA PRIVATE KEY-----',
  ])('%s', (key) => {
    expect(mask(key)).toBe(MASK);
    expect(mask(`before ${key} after`)).toBe(`before ${MASK} after`);
    // as a line of JSON within JSON
    expect(mask(JSON.stringify(`first\n${key}\nlast`))).not.toContain(key.slice(-15));
  });

  it.each([
    ['postgres://me:hunter22@db/x', `postgres://me:${MASK}@db/x`],
    ['Authorization: Bearer abcdefghijklmnopqrstuvwxyz', `Authorization: Bearer ${MASK}`],
  ])('in %s', (text, expected) => expect(mask(text)).toBe(expected));

  it.each([
    'the task-fix-login-with-a-long-name-that-goes-on-and-on',
    'sk-learn is a library, sk-ant is a prefix',
    'risk-averse-people-do-not-take-any-chances-at-all-ever',
    'https://example.org:8080/path?x=1',
    '-----BEGIN CERTIFICATE-----',
    'npm_config_registry',
    '0123456789abcdef0123456789abcdef01234567',
    'eyJ is how a token begins',
  ])('but not %s', (text) => expect(mask(text)).toBe(text));
});

it('a hostile text takes no longer than its length', () => {
  const secrets = createSecrets();
  secrets.learn({ A_TOKEN: 'aaaaaaaaaaaaaaaab', B_TOKEN: 'aaaaaaaaaaaaaaaac' });
  for (const piece of [
    'eyJ',
    '-eyJa',
    'sk-ant-',
    'a',
    '://a:',
    '-----BEGIN PRIVATE KEY-----',
    'SG.aaaaaaaaaaaaaaaa.',
    'Bearer a',
  ])
    expect(secrets.mask(piece.repeat(Math.ceil(1_000_000 / piece.length))).length).toBeGreaterThan(0);
});
