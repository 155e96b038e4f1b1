import type { CommandModule } from 'yargs';
import { sweepJsonSchema } from '../contract/sweep.ts';

/** `spc schema`: prints the JSON Schema of a sweep file. */
export const schemaCommand: CommandModule = {
  command: 'schema',
  describe: 'print the JSON Schema of a sweep file, for editors',
  handler: () => void process.stdout.write(`${JSON.stringify(sweepJsonSchema(), null, 2)}\n`),
};
