// One step of a correction, and the Fisher information behind its mask, on cartpole/angle with a 64-64 network.
import { SCENARIOS } from '../dist/contract/scenarios.js';
import { STRATEGIES } from '../dist/contract/strategies.js';
import { makeConstraint } from '../dist/correction/constraint.js';
import { correctFromStates } from '../dist/correction/correct.js';
import { drawn, fisherOf } from '../dist/correction/protect/fisher.js';
import { makeEngine } from '../dist/math/engines/index.js';
import { makeStream } from '../dist/math/rng/streams.js';
import { initialParams } from '../dist/ppo/init.js';
import { row } from './stats.mjs';

const ROUNDS = 7;
const SHAPE = { obsDim: 4, hidden: [64, 64], actions: 2, gaussian: false, separate: false };
const STATES = 8192;
/** A step is what a correction of MORE steps takes longer than one of FEW: what comes before the first is in both. */
const FEW = 50;
const MORE = 550;

const unobserved = { phase: (_name, work) => work(), progress: () => {} };

export async function correction(say) {
  const engine = makeEngine('wasm');
  const constraint = makeConstraint('CartPole-v1', SCENARIOS['cartpole/angle'].rules, 0.02);
  const base = { shape: SHAPE, params: initialParams(SHAPE, { orthogonalInit: true }, makeStream('init', 'bench', 0)) };
  const recorded = record(constraint);
  const names = ['mrp+tsf', 'tsf', 'tsf:paper'];
  const samples = { ...Object.fromEntries(names.map((name) => [name, []])), fisher: [] };
  const run = (name, steps) => {
    const input = {
      base,
      constraint,
      recorded,
      checkpoints: () => [],
      checkpoint: () => {},
      overrun: { multiples: [], measure: () => {} },
    };
    const options = STRATEGIES[name].options.parse({ steps, keep: 'last' });
    const start = process.cpuUsage();
    correctFromStates(input, options, engine, makeStream('correct', 'bench', 0), unobserved);
    return microseconds(start);
  };
  const network = engine.network(SHAPE, 1024);
  network.set(base.params);
  const fisher = () => {
    const start = process.cpuUsage();
    fisherOf(network, constraint.policy, recorded.retain, drawn(makeStream('correct', 'bench', 1), constraint.policy));
    return microseconds(start) / 1000;
  };
  for (const name of names) run(name, FEW); // warm-up
  fisher();
  for (let round = 0; round < ROUNDS; round++) {
    say(`round ${round + 1} of ${ROUNDS}`);
    for (const name of names) samples[name].push((run(name, MORE) - run(name, FEW)) / (MORE - FEW));
    if (round < 5) samples.fisher.push(fisher()); // a network's vectors are not given back
  }
  return {
    title: 'cartpole/angle, 64-64 shared trunk, 256 forget + 256 retain rows, CPU time of the process',
    rows: [
      row('mrp+tsf: 512 region rows scored, soft mask, Adam', 'us per step', samples['mrp+tsf']),
      row('tsf: the same without mask', 'us per step', samples.tsf),
      row('tsf:paper: two gradient steps of 256 rows', 'us per step', samples['tsf:paper']),
      row(`Fisher information of ${STATES} states`, 'ms', samples.fisher),
    ],
    notes: [],
  };
}

function microseconds(start) {
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

/** Pairs and states as identify would record them, uniform in the box. */
function record({ sampleRegion, sampleOutside, toxic, obsDim }) {
  const rng = makeStream('identify', 'bench', 0);
  const states = (sample) => {
    const obs = new Float32Array(STATES * obsDim);
    sample(rng, obs, STATES);
    return { obs, count: STATES };
  };
  const forget = states(sampleRegion);
  const numbers = (of) => Int32Array.from({ length: STATES }, (_, i) => of(i));
  return {
    forget: {
      ...forget,
      action: numbers((i) => 31 - Math.clz32(toxic(forget.obs, i))),
      weight: new Float32Array(STATES).fill(1),
      episode: numbers(() => 0),
      step: numbers((i) => i),
    },
    retain: states(sampleOutside),
    validation: undefined,
  };
}
