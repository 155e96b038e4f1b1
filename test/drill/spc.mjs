// The command line with real jobs and a shorter lease: after 30 s, as it is otherwise, every fault would cost half a minute.
import { main } from '../../dist/cli/main.js';
import { runCommand } from '../../dist/cli/run.js';
import { workerCommand } from '../../dist/cli/worker.js';

const { LEASE_MS, THREAD_MODULE } = process.env;
const injected = { ...(LEASE_MS && { leaseMs: Number(LEASE_MS) }), ...(THREAD_MODULE && { threadModule: THREAD_MODULE }) };
await main(process.argv.slice(2), [runCommand(injected), workerCommand(injected)]);
