// npm run conformance -- FILE ...: do our worlds compute what somebody else's did? docs/worlds.md has the rest.
// Exit codes: 0 every number the same, 1 some differ, 2 a file is not to be read.
import { conformance } from '../dist/cli/conformance.js';

process.exitCode = await conformance(process.argv.slice(2), console.log, console.error);
