// Seed 2 diverges in training; at seed 1 the arm tsf gets a NaN.
import { DivergedError } from '../../../dist/contract/errors.js';
import { makeThread } from '../../../dist/worker/executor/perform.js';
import { makeEngine, runTrial, trainBase } from './jobs.mjs';

export default makeThread({
  makeEngine,
  trainBase: (spec, engine, observe) => {
    if (spec.seed === 2) throw new DivergedError('loss: expected a finite number, got NaN at step 7');
    return trainBase(spec, engine, observe);
  },
  runTrial: (spec, base, engine, observe) => {
    if (spec.base.seed === 1 && spec.strategy === 'tsf') throw new DivergedError('logits: expected finite numbers, got NaN at step 3');
    return runTrial(spec, base, engine, observe);
  },
});
