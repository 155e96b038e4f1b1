// Jobs that never end and never ask whether they should.
import { makeThread } from '../../../dist/worker/executor/perform.js';
import { makeEngine } from './jobs.mjs';

const forever = () => {
  for (;;);
};

export default makeThread({ makeEngine, trainBase: forever, runTrial: forever });
