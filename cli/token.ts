// `sc token`: where the tokens of HTTP clients are, and new ones in place of those that may have become known.
import { SCOPES, type Scope } from '../core/access.ts';
import { fail } from '../core/errors.ts';
import { ensureTokens, rotateTokens } from '../server/client-tokens.ts';
import { stateDirOf } from '../server/workspace.ts';
import { formatOf, OWN_OPTIONS, parsedArguments } from './arguments.ts';
import { workspaceOf } from './client.ts';
import { LOCAL_COMMANDS } from './help.ts';

const HELP = `${LOCAL_COMMANDS.token}

Usage: sc token [rotate] [--scope=read|operate|admin] [--workspace DIR] [--format table|json]`;

export async function token(args: readonly string[], print: (text: string) => void): Promise<number> {
  const { values, positionals } = parsedArguments(args, { ...OWN_OPTIONS, scope: { type: 'string' } });
  if (values.help) {
    print(HELP);
    return 0;
  }
  const [deed, more] = positionals;
  if (more !== undefined || (deed !== undefined && deed !== 'rotate'))
    fail('INVALID_INPUT', `"${more ?? deed}" is not known here; \`sc token rotate\` makes new tokens.`);
  const isJson = formatOf(values.format) === 'json';
  const stateDir = stateDirOf(workspaceOf(values.workspace));
  const scopes = scopesOf(values.scope);
  const files = deed === 'rotate' ? await rotateTokens(stateDir, scopes) : await ensureTokens(stateDir);
  const shown = Object.fromEntries(scopes.map((scope) => [scope, files[scope]]));
  if (isJson) print(JSON.stringify({ rotated: deed === 'rotate', files: shown }, null, 2));
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
