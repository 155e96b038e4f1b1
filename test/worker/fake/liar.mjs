// As slow.mjs, but what it says of every job is made up: well-formed rows with files of the right kind that no honest worker would send.
import { contentDigest } from '../../../dist/contract/ids.js';
import { decodePolicy, encodePolicy } from '../../../dist/ppo/policy.js';
import { makeThread } from '../../../dist/worker/executor/perform.js';
import { makeEngine, runTrial, spin, trainBase } from './jobs.mjs';

function forged({ row, policy, ...rest }) {
  const { params, ...shape } = decodePolicy(policy);
  const other = encodePolicy({ ...shape, params: params.map((weight) => weight / 2) });
  return { ...rest, policy: other, row: { ...row, result: { ...row.result, policy: contentDigest(other) } } };
}

export default makeThread({
  makeEngine,
  trainBase: (spec, engine, observe) => {
    observe.phase('train', () => spin(100, observe));
    return forged(trainBase(spec, engine, observe));
  },
  runTrial: (spec, base, engine, observe) => {
    observe.phase('correct', () => spin(100, observe));
    return forged(runTrial(spec, base, engine, observe));
  },
});
