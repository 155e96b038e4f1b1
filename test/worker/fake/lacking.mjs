// A machine on which an engine is not installed.
import { HostError } from '../../../dist/contract/host.js';
import { makeThread } from '../../../dist/worker/executor/perform.js';
import { runTrial, trainBase } from './jobs.mjs';

const makeEngine = (name) => {
  throw new HostError(`engine ${name}: expected it to be installed, found nothing`);
};

export default makeThread({ makeEngine, trainBase, runTrial });
