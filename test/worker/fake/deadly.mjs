// The arm tsf kills the process it runs in.
import { makeThread } from '../../../dist/worker/executor/perform.js';
import { makeEngine, runTrial, trainBase } from './jobs.mjs';

export default makeThread({
  makeEngine,
  trainBase,
  runTrial: (spec, base, engine, observe) => {
    if (spec.strategy === 'tsf') process.kill(process.pid, 'SIGKILL');
    return runTrial(spec, base, engine, observe);
  },
});
