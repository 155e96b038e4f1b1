// Every job takes a millisecond of computing.
import { makeThread } from '../../../dist/worker/executor/perform.js';
import { makeEngine, runTrial, spin, trainBase } from './jobs.mjs';

export default makeThread({
  makeEngine,
  trainBase,
  runTrial: (spec, base, engine, observe) => {
    observe.phase('correct', () => spin(1, observe));
    return runTrial(spec, base, engine, observe);
  },
});
