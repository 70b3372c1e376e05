// A program that uses channelcoder with our storage, in a process of its own because channelcoder starts `claude` from its PATH.
//
//   channelcoder-program.ts WORKSPACE TASK begin|go-on|stream NAME PROMPT…   prints { id, messages } of the session as JSON
import { session } from 'channelcoder';
import { builtClient } from './built-client.ts';

const [workspace = '', taskId = '', deed = '', name = '', ...prompts] = process.argv.slice(2);
const { TaskSessionStorage } = await builtClient();
const storage = new TaskSessionStorage({ workspace, taskId });
const used = deed === 'go-on' ? await session.load(name, storage) : session({ name, storage });
for (const prompt of prompts) {
  if (deed !== 'stream') await used.claude(prompt, { outputFormat: 'json' });
  else for await (const _chunk of used.stream(prompt)) await storage.list();
}
process.stdout.write(`${JSON.stringify({ id: used.id(), messages: used.messages() })}\n`);
