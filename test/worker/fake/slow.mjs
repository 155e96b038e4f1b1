// Every job takes a tenth of a second of computing: time enough to be killed in the middle.
import { makeThread } from '../../../dist/worker/executor/perform.js';
import { makeEngine, runTrial, spin, trainBase } from './jobs.mjs';

export default makeThread({
  makeEngine,
  trainBase: (spec, engine, observe) => {
    observe.phase('train', () => spin(100, observe));
    return trainBase(spec, engine, observe);
  },
  runTrial: (spec, base, engine, observe) => {
    observe.phase('correct', () => spin(100, observe));
    return runTrial(spec, base, engine, observe);
  },
});
