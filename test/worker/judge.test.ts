import { describe, expect, it } from 'vitest';
import { contentDigest } from '../../src/contract/ids.ts';
import type { FileKind, Row } from '../../src/contract/job.ts';
import { unobserved } from '../../src/contract/observe.ts';
import { makeEngine } from '../../src/math/engines/index.ts';
import { encodeTensors } from '../../src/math/safetensors.ts';
import { encodePolicy } from '../../src/ppo/policy.ts';
import { runTrial, trainBase } from '../../src/worker/jobs.ts';
import { judgeFile } from '../../src/worker/judge.ts';
import { smallBase, smallTrial } from './specs.ts';

const engine = makeEngine('wasm');
const base = trainBase(smallBase(), engine, unobserved);
const trial = runTrial(smallTrial('tsf'), base, engine, unobserved);

describe('judgeFile(row, kind, bytes)', () => {
  it('takes what a base and a trial made', () => {
    expect(() => judgeFile(base.row, 'policies', base.policy)).not.toThrow();
    expect(() => judgeFile(trial.row, 'policies', trial.policy)).not.toThrow();
    expect(() => judgeFile(trial.row, 'forget', trial.forgetSet)).not.toThrow();
  });

  const other = encodePolicy({
    shape: { obsDim: 4, hidden: [3], actions: 2, gaussian: false, separate: false },
    params: new Float32Array((4 + 1) * 3 + (3 + 1) * 2 + (3 + 1)),
  });
  it.each<[string, Row, FileKind, Uint8Array, RegExp]>([
    ['garbage', base.row, 'policies', new Uint8Array([1, 2, 3]), /safetensors: expected at least 8 bytes/],
    ['a forget set where a policy should be', trial.row, 'policies', trial.forgetSet, /expected format spc-policy-1/],
    ['a policy of another shape', base.row, 'policies', other, /policy: expected one of shape .*, got .*"hidden":\[3\]/],
    ['a policy where a forget set should be', trial.row, 'forget', trial.policy, /expected format spc-forget-1/],
    [
      'a forget set with columns missing',
      trial.row,
      'forget',
      encodeTensors({ obs: { shape: [0, 0], data: new Float32Array() } }, { format: 'spc-forget-1' }),
      /forget set: expected obs, action, weight, episode, step of equal length, got another action/,
    ],
  ])('refuses %s', (_, row, kind, bytes, why) => {
    expect(contentDigest(bytes)).toMatch(/^[0-9a-f]{64}$/); // its digest says nothing of what it is
    expect(() => judgeFile(row, kind, bytes)).toThrow(why);
    expect(() => judgeFile(row, kind, bytes)).toThrow(RangeError);
  });
});
