// `sc token`: where the tokens of HTTP clients are, and new ones in place of those that may have become known.
import { parseArgs } from 'node:util';
import { SCOPES, type Scope } from '../core/access.ts';
import { fail } from '../core/errors.ts';
import { ensureTokens, rotateTokens } from '../server/client-tokens.ts';
import { stateDirOf } from '../server/workspace.ts';
import { workspaceOf } from './client.ts';
import { LOCAL_COMMANDS } from './help.ts';

const HELP = `${LOCAL_COMMANDS.token}

Usage: sc token [rotate] [--scope=read|operate|admin] [--workspace DIR] [--format table|json]`;

export async function token(args: readonly string[], print: (text: string) => void): Promise<number> {
  const { values, positionals } = parsed(args);
  if (values.help) {
    print(HELP);
    return 0;
  }
  const [deed, more] = positionals;
  if (more !== undefined || (deed !== undefined && deed !== 'rotate'))
    fail('INVALID_INPUT', `"${more ?? deed}" is not known here; \`sc token rotate\` makes new tokens.`);
  const stateDir = stateDirOf(workspaceOf(values.workspace));
  const scopes = scopesOf(values.scope);
  const files = deed === 'rotate' ? await rotateTokens(stateDir, scopes) : await ensureTokens(stateDir);
  const shown = Object.fromEntries(scopes.map((scope) => [scope, files[scope]]));
  if (values.format === 'json') print(JSON.stringify({ rotated: deed === 'rotate', files: shown }, null, 2));
  else
    print(
      [
        deed === 'rotate' ? 'New tokens; the old ones are not valid any more:' : 'Tokens, each in a file that only you can read:',
        ...Object.entries(shown).map(([scope, file]) => `  ${scope.padEnd(8)} ${file}`),
      ].join('\n'),
    );
  return 0;
}

function scopesOf(given: string | undefined): readonly Scope[] {
  if (given === undefined) return SCOPES;
  const scope = SCOPES.find((name) => name === given) ?? fail('INVALID_INPUT', `"--scope" must be one of: ${SCOPES.join(', ')}.`);
  return [scope];
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        scope: { type: 'string' },
        workspace: { type: 'string' },
        format: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    return fail('INVALID_INPUT', error instanceof Error ? `${error.message.split('. ')[0]}.` : String(error));
  }
}
