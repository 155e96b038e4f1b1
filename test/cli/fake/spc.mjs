// The command line with jobs of test/worker/fake/<FAKE>.mjs: everything but the thread module is the real thing.
import { outliveTerminal } from '../../../dist/cli/interrupt.js';
import { main } from '../../../dist/cli/main.js';
import { expectRefusals } from '../../../dist/cli/output.js';
import { planCommand } from '../../../dist/cli/plan.js';
import { rerunCommand } from '../../../dist/cli/rerun.js';
import { runCommand } from '../../../dist/cli/run.js';
import { serveCommand } from '../../../dist/cli/serve.js';
import { tableCommand } from '../../../dist/cli/table.js';
import { workerCommand } from '../../../dist/cli/worker.js';

const threadModule = new URL(`../../worker/fake/${process.env.FAKE ?? 'thread'}.mjs`, import.meta.url).href;
outliveTerminal();
expectRefusals();
await main(process.argv.slice(2), [
  planCommand,
  runCommand({ threadModule }),
  tableCommand,
  rerunCommand({ threadModule }),
  serveCommand,
  workerCommand({ threadModule }),
]);
