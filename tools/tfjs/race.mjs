// One process of tools/tfjs-race.mjs: threads that meet at a barrier and then, at once, do what fills the binding's set of names.
import { createRequire } from 'node:module';
import util from 'node:util';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const require = createRequire(import.meta.url);
const [CALLS, NAMES, STEPS] = [30, 16, 20];

/** Calls of one operation, before each of which they meet again, each with attributes of names new to this process: the library passes over what it does not know, the binding has kept them. */
function strange(addon, thread) {
  const binding = require(addon);
  const input = binding.createTensor([1], binding.TF_FLOAT, new Float32Array([1]));
  // Names of the threads are neighbours in the set: it is where both rebalance the same branch that it breaks.
  const calls = Array.from({ length: CALLS }, (_, call) =>
    Array.from({ length: NAMES }, (_, i) => ({ name: `call${call}name${i}thread${thread}`, type: binding.TF_ATTR_INT, value: i })),
  );
  binding.executeOp('Square', [{ name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT }], [input], 1); // the first takes 70 ms
  return calls.map((attributes) => () => binding.executeOp('Square', attributes, [input], 1));
}

/** What an executor does: a small network down its gradient, through the library's own interface. */
function training(folder) {
  const retired = { isNullOrUndefined: (value) => value === null || value === undefined, isArray: Array.isArray }; // gone in Node 23
  for (const [name, f] of Object.entries(retired)) util[name] ??= f;
  const tf = require(folder);
  const train = () => {
    const x = tf.randomNormal([64, 4]);
    const model = tf.sequential({
      layers: [tf.layers.dense({ units: 64, inputShape: [4], activation: 'tanh' }), tf.layers.dense({ units: 2 })],
    });
    const adam = tf.train.adam(1e-3);
    for (let step = 0; step < STEPS; step++) adam.minimize(() => tf.mean(tf.square(model.predict(x))));
    const [weight] = model.getWeights()[0].dataSync();
    if (!Number.isFinite(weight)) throw new Error(`expected a number, got ${weight}`);
  };
  return [train];
}

if (isMainThread) {
  const [what, path, threads] = process.argv.slice(2);
  const barrier = new SharedArrayBuffer(4);
  for (let thread = 0; thread < Number(threads); thread++)
    new Worker(new URL(import.meta.url), { workerData: { what, path, thread, threads: Number(threads), barrier } });
} else {
  const { what, path, thread, threads, barrier } = workerData;
  const arrived = new Int32Array(barrier);
  for (const [i, go] of (what === 'training' ? training : strange)(path, thread).entries()) {
    Atomics.add(arrived, 0, 1);
    while (Atomics.load(arrived, 0) < (i + 1) * threads); // waiting in the kernel would wake them one after the other
    go();
  }
}
