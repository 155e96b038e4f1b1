import { runCommandLine } from './commands.ts';
import { outliveTerminal } from './interrupt.ts';
import { expectRefusals } from './output.ts';

outliveTerminal();
expectRefusals();
await runCommandLine();
