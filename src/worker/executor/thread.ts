import { makeEngine } from '../engines.ts';
import { runTrial, trainBase } from '../jobs.ts';
import { makeThread } from './perform.ts';

/** What runs in every Piscina thread. */
export default makeThread({ makeEngine, trainBase, runTrial });
