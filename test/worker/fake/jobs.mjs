/**
 * Jobs that take no time, and jobs that misbehave: what a test asks for stands in the spec.
 * Rows and files are functions of the spec alone, as those of the real ones.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { DivergedError, RefusedError } from '../../../dist/contract/errors.js';
import { canonicalJson, contentDigest } from '../../../dist/contract/ids.js';
import { baseId, trialId } from '../../../dist/contract/spec.js';
import { size } from '../../../dist/math/layout.js';
import { encodeTensors } from '../../../dist/math/safetensors.js';
import { encodePolicy } from '../../../dist/ppo/policy.js';
import { shapeOf } from '../../../dist/worker/jobs.js';

const seedOf = (spec) => createHash('sha256').update(canonicalJson(spec)).digest();
const fileOf = (spec, what) => new Uint8Array(createHash('sha512').update(canonicalJson(spec)).update(what).digest());

/** Files of the right kind, for a coordinator reads them before a row counts: 16 weights of the spec, again and again. */
const weights = (spec, what, count) => {
  const few = Float32Array.from(fileOf(spec, what).subarray(0, 16), (byte) => byte / 256);
  return Float32Array.from({ length: count }, (_, i) => few[i % few.length]);
};
const policyFile = (base, spec) => {
  const shape = shapeOf(base);
  return encodePolicy({ shape, params: weights(spec, 'policy', size(shape)) });
};
const forgetFile = (spec) => {
  const column = { shape: [16], data: weights(spec, 'forget', 16) };
  return encodeTensors({ obs: column, action: column, weight: column, episode: column, step: column }, { format: 'spc-forget-1' });
};

const evaluation = (mean) => ({
  episodes: 100,
  steps: 50_000,
  meanReturn: mean,
  stdReturn: 1,
  toxicRate: 0.1,
  occupancy: 0.2,
  digest: `${mean}`,
});

export const makeEngine = (name) => ({
  name,
  version: 'fake-1',
  /** Of so many pages. */
  network: (pages) => Object.assign(new WebAssembly.Memory({ initial: pages, maximum: pages }), { free: () => {} }),
});

/** Busy, as real work is: a thread that computes does not wait. */
export function spin(ms, observe) {
  const end = performance.now() + ms;
  for (let i = 0; performance.now() < end; i++) if (i % 1000 === 0) observe.progress(ms - (end - performance.now()), ms);
}

/** `marker`: misbehaves until that file exists, and makes it. */
const again = (marker) => {
  if (marker === undefined) return true;
  if (existsSync(marker)) return false;
  writeFileSync(marker, '');
  return true;
};

const deeds = {
  nan: () => {
    throw new DivergedError('loss: expected a finite number, got NaN at step 7');
  },
  refuse: () => {
    throw new RefusedError('forget set: expected 256 pairs, got 3');
  },
  bug: () => {
    throw new TypeError('x is not a function', { cause: new Error('the reason') });
  },
  exit: () => process.exit(3), // of a thread: ends the thread
  kill: () => process.kill(process.pid, 'SIGKILL'), // the whole executor
  heap: () => {
    const hoard = [];
    for (;;) hoard.push({ a: hoard.length });
  },
  hang: () => {
    for (;;);
  },
  /** Waits in the system, where no thread can be ended. */
  wait: () => void spawnSync('sleep', ['60']),
  buffers: () => {
    for (const hoard = []; ; ) hoard.push(new Uint8Array(1 << 20).fill(1));
  },
  reportedBuffers: ({ observe }) => {
    for (const hoard = []; ; observe.progress(1, 2)) hoard.push(new Uint8Array(1 << 20).fill(1));
  },
  wasm: ({ observe }) => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    for (; ; observe.progress(1, 2)) memory.grow(16);
  },
  /** Makes garbage: a gigabyte altogether, never more than one megabyte of it in use. */
  litter: ({ observe }) => {
    for (let i = 0; i < 1000; i++, observe.progress(i, 1000)) new Uint8Array(1 << 20).fill(1);
  },
  giant: () => {
    const held = new Float64Array(2 ** 28);
    for (;;) held.fill(1); // for as long as nobody looks: a busy machine looks late
  },
  giantUntouched: ({ observe }) => {
    const held = new ArrayBuffer(3e9);
    observe.phase('correct', () => {});
    return held.byteLength;
  },
  giantRefused: () => new ArrayBuffer(1e15),
  giantNetwork: ({ engine }) => engine.network(40_000),
  giantNetworkRefused: ({ engine }) => engine.network(70_000),
  sulk: ({ observe }) => {
    for (let i = 0; ; i++) if (i % 1000 === 0) observe.progress(1, 2);
  },
};

function misbehave(correct, observe, engine) {
  if (correct.spinMs) observe.phase('correct', () => spin(correct.spinMs, observe));
  if (correct.do && again(correct.marker)) deeds[correct.do]({ observe, engine });
}

export function trainBase(spec, engine, observe) {
  misbehave(spec.options.fake ?? {}, observe, engine);
  const policy = policyFile(spec, spec);
  const mean = 400 + (seedOf(spec)[0] ?? 0) / 4;
  const trace = Array.from({ length: 4 }, (_, i) => contentDigest(fileOf(spec, `trace ${i}`)));
  return {
    policy,
    row: {
      id: baseId(spec),
      spec,
      ok: true,
      result: {
        policy: contentDigest(policy),
        environmentSteps: 1000,
        gradientSteps: 100,
        returns: { step: [250, 500, 750, 1000], value: [10, 20, null, 40] },
        trace,
        greedy: evaluation(mean),
        sampled: evaluation(mean - 1),
        random: evaluation(20),
      },
    },
  };
}

export function runTrial(spec, base, engine, observe) {
  misbehave(spec.correct, observe, engine);
  if (contentDigest(base.policy) !== base.row.result.policy) throw new Error('this is not the policy of the base');
  const policy = policyFile(spec.base, spec);
  const forgetSet = forgetFile(spec);
  const share = (seedOf(spec)[1] ?? 0) / 255;
  const cost = { gradientSteps: 500, environmentSteps: 0, samples: 256_000 };
  return {
    policy,
    forgetSet,
    row: {
      id: trialId(spec),
      base: base.row.id,
      spec,
      ok: true,
      result: {
        acceptance: {
          accepted: true,
          reasons: [],
          greedyReturn: 480,
          gate: 475,
          toxicProbability: 0.4,
          violatingSteps: 900,
          violatingShare: 0.1,
          regionShare: 0.2,
        },
        influence: { printed: 0.5, unsaturated: 0.6, pairs: 900, kept: 900 },
        overrun: null,
        fe: share,
        finalFe: share,
        worstCase: 0.01,
        rsi: 1 - share / 10,
        rsiSampled: 1,
        retainKl: 0.01,
        retainValue: 0.1,
        forgetCurve: { step: [0, 250, 500], value: [0.4, 0.1, 0.01] },
        returnCurve: { step: [0, 250, 500], value: [480, 470, 475] },
        greedy: evaluation(470 + share),
        sampled: evaluation(460),
        cost: { identify: { gradientSteps: 0, environmentSteps: 50_000, samples: 0 }, correct: cost },
        checkpoint: 500,
        policy: contentDigest(policy),
        forgetSet: contentDigest(forgetSet),
        trace: [0, 1, 2].map((i) => contentDigest(fileOf(spec, `trace ${i}`))),
      },
    },
  };
}
