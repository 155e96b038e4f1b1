// One engine in a process of its own: node engine.mjs NAME. Says first what starting cost; then for every line
// { hidden, minibatch, budgetMs } how long gradient steps of PPO take with it, and for { hidden } alone a forward of one row.
import { createInterface } from 'node:readline';
import { ppoSchema } from '../../dist/contract/ppo.js';
import { makeDistribution } from '../../dist/math/distribution.js';
import { makeStream } from '../../dist/math/rng/streams.js';
import { initialParams } from '../../dist/ppo/init.js';
import { ppoLoss } from '../../dist/ppo/loss.js';
import { clippingScale } from '../../dist/ppo/train.js';
import { cpuMs } from '../stats.mjs';

const [name] = process.argv.slice(2);
const BATCH = 2048;
const MB = 2 ** 20;
const options = ppoSchema.parse({ totalTimesteps: BATCH });

const say = (answer) => console.log(JSON.stringify(answer));
const rssMb = () => process.memoryUsage.rss() / MB;

const before = { ms: performance.now(), rssMb: rssMb() };
const { network: make, version } = await load(name);
step(make, { hidden: [64, 64], minibatch: 64 }, 1);
say({ name, version, startMs: performance.now() - before.ms, rssMb: rssMb(), addedMb: rssMb() - before.rssMb });
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  say(asked.minibatch === undefined ? forwardOne(make, asked) : measure(make, asked));
}

/** TensorFlow's third backend is no engine of ours: it is here to be compared with. */
async function load(engine) {
  if (engine !== 'tfjs-wasm') return (await import('../../dist/worker/engines.js')).makeEngine(engine);
  const { createRequire } = await import('node:module');
  const require = createRequire(import.meta.url);
  const { networksOver } = await import('../../dist/worker/tfjs/engine.js');
  const tf = require('@tensorflow/tfjs');
  const { setWasmPaths, setThreadsCount } = require('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(`${require.resolve('@tensorflow/tfjs-backend-wasm').replace(/[^/\\]*$/, '')}`);
  setThreadsCount(1);
  tf.enableProdMode();
  await tf.setBackend('wasm');
  if (tf.getBackend() !== 'wasm') throw new Error(`expected TensorFlow.js's wasm backend, got ${tf.getBackend()}`);
  return { network: networksOver(tf, () => {}), version: `tfjs ${tf.version.tfjs}` };
}

/** A network and a batch of random transitions; calling it does one gradient step on the next minibatch. */
function stepper(network, minibatch) {
  const { shape } = network;
  const rng = makeStream('init', 'bench', 1);
  const noise = (x) => {
    for (let i = 0; i < x.length; i++) x[i] = rng.uniform() - 0.5;
    return x;
  };
  const vector = () => noise(network.vector(BATCH));
  const policy = makeDistribution(shape);
  const batch = {
    ...{ policy, action: policy.room(BATCH), forbidden: new Int32Array(BATCH), logProb: new Float64Array(BATCH).fill(Math.log(0.5)) },
    ...{ advantage: vector(), value: vector(), valueTarget: vector() },
  };
  const all = noise(network.vector(BATCH * shape.obsDim));
  const obs = network.vector(minibatch * shape.obsDim);
  const adam = { m: network.vector(network.size), v: network.vector(network.size), step: 0 };
  const order = Int32Array.from({ length: BATCH }, (_, i) => i);
  const advantage = new Float64Array(minibatch);
  const stats = { loss: 0, policyLoss: 0, valueLoss: 0, entropy: 0, approxKl: 0, clipFraction: 0 };
  let start = 0;
  return () => {
    const rows = order.subarray(start, start + minibatch);
    start = (start + minibatch) % BATCH;
    network.gather(all, rows, shape.obsDim, obs);
    ppoLoss(network.forward(obs, minibatch), batch, rows, policy, options, advantage, stats);
    const gradient = network.backward(minibatch, { weights: true }).weights;
    const scale = clippingScale(network.norm(gradient), options.maxGradNorm, 'bench');
    network.adam(adam, gradient, { learningRate: 3e-4, beta1: 0.9, beta2: 0.999, eps: 1e-5, scale });
  };
}

function networkOf(make, hidden, maxRows) {
  const shape = { obsDim: 4, hidden, actions: 2, gaussian: false, separate: false };
  const network = make(shape, maxRows);
  network.set(initialParams(shape, options, makeStream('init', 'bench', 0)));
  return network;
}

function step(make, { hidden, minibatch }, steps) {
  const network = networkOf(make, hidden, minibatch);
  const next = stepper(network, minibatch);
  for (let i = 0; i < steps; i++) next();
  network.free();
}

/** CPU and wall time of an update of 2048 transitions in 10 epochs, from as many gradient steps as the budget has room for, after a warm-up: at least one, at most that update. */
function measure(make, { hidden, minibatch, budgetMs }) {
  const network = networkOf(make, hidden, minibatch);
  const next = stepper(network, minibatch);
  const whole = (10 * BATCH) / minibatch;
  const first = performance.now();
  do next();
  while (performance.now() - first < budgetMs / 3);
  const [start, startCpu] = [performance.now(), cpuMs()];
  let steps = 0;
  do next();
  while (++steps < whole && performance.now() - start < budgetMs);
  const [wall, cpu] = [performance.now() - start, cpuMs() - startCpu];
  network.free();
  return { updateMs: (cpu / steps) * whole, wallMs: (wall / steps) * whole, steps, rssMb: rssMb() };
}

function forwardOne(make, { hidden }) {
  const network = networkOf(make, hidden, 1);
  const obs = network.vector(4);
  for (let i = 0; i < 200; i++) network.forward(obs, 1);
  const start = cpuMs();
  let times = 0;
  do for (let i = 0; i < 100; i++, times++) network.forward(obs, 1);
  while (cpuMs() - start < 200);
  const us = (1000 * (cpuMs() - start)) / times;
  network.free();
  return { us };
}
