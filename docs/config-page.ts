// docs/config.md and the schema editors use, made from the one object of settings.
import { z } from 'zod';
import { AgentEntry, BASE_ENVIRONMENT, BUILT_IN_AGENTS, environmentOf } from '../core/agent.ts';
import { Config, NARROWING } from '../core/config.ts';
import { type Field, fieldsOf } from './fields.ts';
import { block, code, page, tableOf } from './markdown.ts';

/** docs/config.md; `example` is the text of examples/config.json. */
export function configPage(example: string): string {
  const claude = BUILT_IN_AGENTS.claude ?? AgentEntry.parse({ kind: 'claude' });
  const ofClaude = environmentOf(claude).filter((name) => !BASE_ENVIRONMENT.includes(name));
  return page('Settings', [
    'No file is needed. What is not set has its default.',
    '## Files',
    'Later ones win, setting by setting:',
    '1. the defaults below,\n2. the user config, `$XDG_CONFIG_HOME/scopecraft/config.json` or `~/.config/scopecraft/config.json`,\n3. the workspace config, `.scopecraft/config.json` in the workspace, as far as it is trusted.',
    'A file is JSON. With `"$schema"` set to a copy of [schemas/config.json](schemas/config.json) an editor completes and checks it.',
    'A mistake in a file stops no hub: every problem is told at the next `session_start` (`CONFIG_INVALID`) and by `sc doctor`. Until it is mended nothing new is started.',
    'Environment variables do not set anything, with one exception: `SCOPECRAFT_WORKSPACE` names the workspace. ' +
      'A hub is restarted by its keeper and must find the same settings then, whoever started it first.',
    '## Trust',
    `A workspace config that is not trusted may only lower these: ${NARROWING.map((name) => code(`resources.${name}`)).join(', ')}. Everything else in it is left out, ` +
      'and an agent that it declares is refused with `CONFIG_UNTRUSTED`. `sc trust` trusts the file as it is now, by its hash; after a change it must be trusted again. ' +
      'So a cloned repository runs nothing by itself.',
    '## When a change is taken up',
    'The files are read again at each start of a session. Taken up only when the hub starts: `workspace.taskFolders`, ' +
      '`server.toolsets`, `server.legacyTools` and `server.http.enabled`, and with it `host`, `port`, `behindTls`, `hosts` and `origins` of `server.http`. To restart a hub, end the process that `sc status` names with `kill`; sessions go on, and the next command starts a new hub.',
    'What `session_config` (`sc session config`) changed lies over the files, until it is reset.',
    '## All settings',
    settingTable(fieldsOf(Config, 'input')),
    '## An agent',
    'Each entry of `agents` has a name (lower-case letters, digits, dashes) and these fields. An entry named `claude` or `demo` replaces the built-in one.',
    settingTable(fieldsOf(AgentEntry, 'input')),
    'A call chooses among the declared agents. It can never pass a program, arguments, environment variables or a permission mode.',
    '## What an agent gets from the environment',
    `Every agent gets these variables, where they are set: ${BASE_ENVIRONMENT.map(code).join(', ')}.`,
    `An agent of the kind \`claude\` also gets ${ofClaude.map(code).join(', ')}.`,
    'Others are named in `env`. The values come from the client or terminal that starts the session, and are kept with it in a file that only its owner can read.',
    '## Example',
    block('json', example),
  ]);
}

/** docs/schemas/config.json. */
export function configSchema(): object {
  const { $schema, properties, ...rest } = z.toJSONSchema(Config, { io: 'input' });
  return {
    $schema,
    title: 'Scopecraft Orchestrator settings',
    ...rest,
    properties: { $schema: { type: 'string', description: 'Where this schema is, for editors.' }, ...properties },
  };
}

function settingTable(fields: readonly Field[]): string {
  return tableOf(
    ['setting', 'type', 'default', 'description'],
    fields.map(({ name, type, isRequired, fallback, description }) => [
      code(name),
      type,
      isRequired ? 'required' : fallback === undefined ? '' : code(JSON.stringify(fallback)),
      description,
    ]),
  );
}
