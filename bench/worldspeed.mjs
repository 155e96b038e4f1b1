// Says what it is in a line of JSON; then, for every line "<id> <n> <ms> [pilot]" on stdin, steps n of these worlds for so many milliseconds
// of CPU time: with random actions, or LunarLander as Gymnasium's scripted pilot flies it.
// Run with --expose-gc.
import { createInterface } from 'node:readline';
import { ENVIRONMENTS } from '../dist/contract/environments.js';
import { heuristic } from '../dist/envs/lunarlander/heuristic.js';
import { makeEnv } from '../dist/envs/make.js';
import { cpuMs } from './stats.mjs';

const ROWS = 64; // of actions, used in turns

/** Makes n worlds; returns what advances them by a number of steps and says how many all of them made together. */
function makeRun(id, n, flown) {
  const { options, actionBounds } = ENVIRONMENTS[id];
  const env = makeEnv(id, options.parse({}), n);
  env.reset(0);
  if (flown) {
    return (steps) => {
      for (let t = 0; t < steps; t++) {
        for (let i = 0; i < n; i++) env.action[i] = heuristic(env.obs, i * env.obsDim);
        env.step();
      }
      return steps * n;
    };
  }
  const given = env.continuous ? env.continuousAction : env.action;
  const draw = actionBounds
    ? () => actionBounds.low + (actionBounds.high - actionBounds.low) * Math.random()
    : () => Math.floor(env.actions * Math.random());
  const actions = Array.from({ length: ROWS }, () => given.slice().map(draw));
  return (steps) => {
    for (let t = 0; t < steps; t++) {
      const row = actions[t % ROWS];
      for (let i = 0; i < row.length; i++) given[i] = row[i]; // for a few numbers `set` costs more than the step
      env.step();
    }
    return steps * n;
  };
}

function speed(run, n, ms) {
  const start = cpuMs();
  let [steps, used] = [0, 0];
  while (used < ms) {
    steps += run(Math.ceil(4096 / n));
    used = cpuMs() - start;
  }
  return (1000 * steps) / used;
}

/** Over 100,000 steps, in bursts so short that nothing is collected in between, which would hide what was allocated. */
function bytes(run, n) {
  let [steps, allocated] = [0, 0];
  while (steps < 100_000) {
    globalThis.gc();
    const before = process.memoryUsage().heapUsed;
    steps += run(Math.ceil(4096 / n));
    allocated += process.memoryUsage().heapUsed - before;
  }
  return allocated / steps;
}

const answer = (object) => process.stdout.write(`${JSON.stringify(object)}\n`);
answer({ node: process.version });
for await (const line of createInterface({ input: process.stdin })) {
  const [id, n, ms, pilot] = line.split(' ');
  const run = makeRun(id, Number(n), pilot === 'pilot');
  answer({ stepsPerCpuSecond: speed(run, Number(n), Number(ms)), bytesPerStep: bytes(run, Number(n)) });
}
