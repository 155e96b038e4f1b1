// Every job kills its thread when it is run for the first time; markers lie in the folder for temporary files.
import { existsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeThread } from '../../../dist/worker/executor/perform.js';
import { makeEngine, runTrial, trainBase } from './jobs.mjs';

function first(row) {
  const marker = join(tmpdir(), row.id);
  if (!existsSync(marker)) {
    writeFileSync(marker, '');
    process.exit(1);
  }
}

export default makeThread({
  makeEngine,
  trainBase: (spec, engine, observe) => {
    const made = trainBase(spec, engine, observe);
    first(made.row);
    return made;
  },
  runTrial: (spec, base, engine, observe) => {
    const made = runTrial(spec, base, engine, observe);
    first(made.row);
    return made;
  },
});
