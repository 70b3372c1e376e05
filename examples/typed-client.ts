// Starts a session through the package's own client, is told what happens to it, and prints its result.
//
//   npx tsx examples/typed-client.ts WORKSPACE TASK [AGENT]
import { type Answer, connect, ScopecraftError } from 'scopecraft-orchestrator';

const [workspace = '.', taskId = 'greeting', agent = 'demo'] = process.argv.slice(2);

let hearEnd = () => {};
const end = new Promise<void>((resolve) => {
  hearEnd = resolve;
});

const client = await connect(workspace, { name: 'typed-client' });
try {
  const hooks = await client.onSession(
    {
      onSessionStart: ({ id }) => say(`${id} started`),
      onSessionComplete({ id }, { text }) {
        say(`${id} completed: ${text}`);
        hearEnd();
      },
      onSessionError(_session, error) {
        say(error.message);
        hearEnd();
      },
    },
    { taskId },
  );

  const { id, summary } = await client.sessionStart({ taskId, agent });
  say(summary);
  const watching = await client.watch(`session://${id}/log`, () => say(`${id} said something`));

  const session = await settled(id);
  say(`status ${session.status}, ${session.durationMs} ms`);
  const { entries } = await client.sessionLogs({ sessionId: id });
  for (const { kind, text } of entries) say(`  ${kind.padEnd(12)} ${text.trim().replaceAll('\n', ' ')}`);

  // hooks are told a moment later, in order; after this one there is nothing more to hear
  await end;
  await watching.close();
  await hooks.close();
} catch (error) {
  if (!(error instanceof ScopecraftError)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n${error.hint}\n`);
  process.exitCode = error.retry ? 75 : 1;
} finally {
  // the session would go on without us, and the process would stay without this
  await client.close();
}

async function settled(sessionId: string): Promise<Answer<'sessionGet'>> {
  for (let after: string | undefined; ; ) {
    const { sessions, timedOut, cursor } = await client.sessionWait({ sessionIds: [sessionId], after });
    if (!timedOut && sessions[0]) return sessions[0];
    after = cursor;
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
