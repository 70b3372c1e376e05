// `sc trust`: a person says that the workspace config may run what it names, as it stands now.
import { fail } from '../core/errors.ts';
import { readEnvironment } from '../server/config.ts';
import { trustWorkspace } from '../server/settings.ts';
import { workspaceOf } from './client.ts';
import { localOptions } from './local-options.ts';

export async function trust(args: readonly string[], print: (text: string) => void): Promise<number> {
  const options = localOptions('trust', args, print);
  if (!options) return 0;
  const workspace = workspaceOf(options.workspace);
  const { configFolder } = readEnvironment();
  const trusted =
    (await trustWorkspace({ workspace, configFolder })) ??
    fail('INVALID_INPUT', `${workspace} has no .scopecraft/config.json to trust.`);
  print(
    options.json
      ? JSON.stringify(trusted, null, 2)
      : `Trusted ${trusted.file}\nas it is now (sha256 ${trusted.hash.slice(0, 16)}…). When it changes, it must be trusted again.`,
  );
  return 0;
}
