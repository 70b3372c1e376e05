// Starts one run and stays, to be killed: <options as JSON> <spec as JSON>.
import { createAutonomousRunner } from '../../runners/autonomous.ts';

const clock = { now: () => Date.now(), elapsed: () => performance.now(), after: () => () => {} };
const [, , options = '', spec = ''] = process.argv;
await createAutonomousRunner({ ...JSON.parse(options), clock }).start(JSON.parse(spec));
process.stdout.write('started\n');
setInterval(() => {}, 1000);
