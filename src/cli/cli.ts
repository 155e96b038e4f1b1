#!/usr/bin/env node
import { outliveTerminal } from './interrupt.ts';
import { expectRefusals, explainStart } from './output.ts';

outliveTerminal();
expectRefusals();

// Late, so that a machine on which the program cannot be read hears why: its files are opened all at once.
const commands = await import('./commands.ts').catch(explainStart);
await commands?.runCommandLine();
