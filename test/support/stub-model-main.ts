// The stub model as a process of its own: prints {"url": …} and runs until INT or TERM.
import { startStubModel } from './stub-model.ts';

const stub = await startStubModel();
process.stdout.write(`${JSON.stringify({ url: stub.url })}\n`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stub.close().then(() => process.exit(0)));
