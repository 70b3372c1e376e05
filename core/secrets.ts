// Keeps secrets out of what is stored and shown: values of variables that hold one, however they are written, and keys that are known by their form.
//
// The forms are those that their makers documented to be found, so that a text that merely speaks of keys stays as it is. Every pattern is
// bounded or begins where no other match can, so that a hostile text is looked through in time that grows with its length alone.
import { z } from 'zod';
import { EVENTS } from './events.ts';
import { mapped } from './hidden-text.ts';

export interface Secrets {
  /** The text with every secret in it masked. */
  mask(text: string): string;
  /** The same for every text in a value, but for what others find it by. */
  maskAll<Value>(value: Value): Value;
  /** From here on the values of those variables are masked that hold a secret. */
  learn(environment: Readonly<Record<string, string>>): void;
}

export const MASK = '[secret masked]';

/** Forms of keys: Anthropic, OpenAI and others that write `sk-`; GitHub, GitLab, Slack, AWS, Google, npm, PyPI, Stripe, SendGrid, Hugging Face, DigitalOcean; ours. */
const FORMS = [
  'sk-ant-[A-Za-z0-9_-]{16,256}',
  '(?<=^|[^A-Za-z0-9]|\\\\[nrt])sk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{32,256}',
  'gh[pousr]_[A-Za-z0-9]{36,255}',
  'github_pat_[A-Za-z0-9_]{22,255}',
  'glpat-[A-Za-z0-9_-]{20,64}',
  'xox[abeoprs]-[A-Za-z0-9-]{10,256}',
  '(?<![A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])',
  'AIza[A-Za-z0-9_-]{35}',
  'npm_[A-Za-z0-9]{36}',
  'pypi-AgEI[A-Za-z0-9_-]{50,512}',
  '[rs]k_(?:live|test)_[A-Za-z0-9]{16,128}',
  'SG\\.[A-Za-z0-9_-]{16,64}\\.[A-Za-z0-9_-]{16,128}',
  'hf_[A-Za-z0-9]{30,64}',
  'do[opr]_v1_[a-f0-9]{64}',
  'sct_(?:read|operate|admin)_[A-Za-z0-9_-]{43}',
  '(?<=^|[^A-Za-z0-9]|\\\\[nrt])scs?_[A-Za-z0-9_-]{1,400}\\.[A-Za-z0-9_-]{43}',
  // JSON web tokens, in a text or behind an escaped line end in JSON
  '(?<=^|[^A-Za-z0-9_-]|\\\\[nrt])eyJ[A-Za-z0-9_-]{10,4000}\\.eyJ[A-Za-z0-9_-]{10,4000}\\.[A-Za-z0-9_-]{10,1000}',
  // the password in an address
  '(?<=:\\/\\/[^\\s:@/]{1,64}:)[^\\s@/:]{3,200}(?=@)',
  '(?<=\\b[Bb]earer )[A-Za-z0-9._~+/-]{20,2000}=*',
  '-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:[A-Za-z0-9+/=\\s:,]|-(?!-)|\\\\[nr])*(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?',
];
const KNOWN_FORMS = new RegExp(FORMS.join('|'), 'g');

/** Names of variables that hold a secret. */
const SECRET_NAME =
  /(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|PAT|DSN)S?(?:_|$)|(?:KEY|TOKEN|SECRET|PASSWORD)$/i;
/** Fields that hold an id, a name or a place, and must stay what they are. */
const FOUND_BY = [
  'sessionId',
  'sessionIds',
  'taskId',
  'agent',
  'parentId',
  'requestId',
  'promptId',
  'shareId',
  'callId',
  'conversationId',
  'requestKey',
  'digest',
  'name',
  'code',
  'cwd',
  'path',
  'branch',
  'base',
  'mark',
];
const LEAST_LENGTH = 8;
/** So many values are known at most; those that were learned longest ago are forgotten. */
const MOST_VALUES = 2_000;

/** `named` are further names of variables that hold a secret. */
export function createSecrets(named: () => readonly string[] = () => []): Secrets {
  const values = new Set<string>();
  let pattern: RegExp | undefined;
  /** What facts say in words of ours, such as `interactive`: masked, they could not be read again. */
  let words: ReadonlySet<string> | undefined;
  const add = (value: string) => {
    if (value.length < LEAST_LENGTH) return;
    if (values.delete(value)) return void values.add(value);
    if (/^[A-Za-z_]+$/.test(value)) {
      words ??= new Set(wordsOf(Object.values(EVENTS).map(({ data }) => z.toJSONSchema(data))));
      if (words.has(value)) return;
    }
    values.add(value);
    const [oldest] = values;
    if (oldest !== undefined && values.size > MOST_VALUES) values.delete(oldest);
    pattern = undefined;
  };
  const mask = (text: string): string => {
    if (text.length < LEAST_LENGTH) return text;
    // the longest first: one value may be the beginning of another
    pattern ??= new RegExp(
      [...values]
        .sort((a, b) => b.length - a.length)
        .map(escaped)
        .join('|') || '(?!)',
      'g',
    );
    return text.replace(pattern, MASK).replace(KNOWN_FORMS, MASK);
  };
  return {
    mask,
    maskAll: (value) => mapped(value, mask, FOUND_BY),
    learn(environment) {
      const also = named();
      for (const [name, value] of Object.entries(environment))
        if (SECRET_NAME.test(name) || also.includes(name)) for (const form of formsOf(value.trim())) add(form);
    },
  };
}

/** A secret as it may be written: plain, in JSON, in an address, in base64 at any place; a long one also line by line. */
function formsOf(value: string): string[] {
  if (value.length < LEAST_LENGTH) return [];
  const lines = value.split(/\r?\n/).map((line) => line.trim());
  const isLong = lines.length > 1;
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    encoded(value),
    ...(isLong ? lines.filter((line) => line.length >= 2 * LEAST_LENGTH && !line.startsWith('-----')) : []),
    ...base64Forms(value),
  ];
}

/** What stands in base64 where the value was encoded alone or within something else: the part that no neighbour changes. */
function base64Forms(value: string): string[] {
  const bytes = [...new TextEncoder().encode(value)];
  return [0, 1, 2].flatMap((offset) => {
    const all = btoa(String.fromCharCode(...Array.from({ length: offset }, () => 0), ...bytes)).replace(/=+$/, '');
    const inner = all.slice(Math.ceil((offset * 8) / 6), (offset + bytes.length) % 3 === 0 ? undefined : -1);
    return inner.length < 2 * LEAST_LENGTH ? [] : [inner, inner.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/** The words among which the value of a field is to be, anywhere in a JSON Schema. */
function wordsOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) =>
    key === 'enum' || key === 'const' ? [value].flat().filter((word) => typeof word === 'string') : wordsOf(value),
  );
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}

function encoded(value: string): string {
  try {
    return encodeURIComponent(value);
  } catch {
    // half a character cannot be encoded, and so does not come that way
    return value;
  }
}
