// The real jobs, and among them one that kills its executor, as an exhausted heap would.

import { makeEngine } from '../../dist/math/engines/index.js';
import { makeThread } from '../../dist/worker/executor/perform.js';
import { runTrial, trainBase } from '../../dist/worker/jobs.js';

const isPoison = ({ strategy, base, correctionSeed }) => strategy === 'zsi' && base.seed === 2 && correctionSeed === 1;

export default makeThread({
  makeEngine,
  trainBase,
  runTrial: (spec, ...more) => (isPoison(spec) ? process.kill(process.pid, 'SIGKILL') : runTrial(spec, ...more)),
});
