import { makeThread } from '../../../dist/worker/executor/perform.js';
import { makeEngine, runTrial, trainBase } from './jobs.mjs';

export default makeThread({ makeEngine, trainBase, runTrial });
