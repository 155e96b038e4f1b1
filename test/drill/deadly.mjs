// The real jobs, and among them one that kills the worker itself, as a machine that runs out of memory would.

import { makeEngine } from '../../dist/math/engines/index.js';
import { makeThread } from '../../dist/worker/executor/perform.js';
import { runTrial, trainBase } from '../../dist/worker/jobs.js';

const isDeadly = ({ strategy, base, correctionSeed }) => strategy === 'zsi' && base.seed === 2 && correctionSeed === 1;

export default makeThread({
  makeEngine,
  trainBase,
  runTrial: (spec, ...more) => (isDeadly(spec) ? process.kill(process.ppid, 'SIGKILL') : runTrial(spec, ...more)),
});
