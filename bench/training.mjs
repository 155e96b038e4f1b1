import { environment } from '../dist/contract/environments.js';
import { ppoSchema } from '../dist/contract/ppo.js';
import { makeEnv } from '../dist/envs/make.js';
import { makeEngine } from '../dist/math/engines/index.js';
import { makeStream, worldSeed } from '../dist/math/rng/streams.js';
import { initialParams } from '../dist/ppo/init.js';
import { rowsNeeded, train } from '../dist/ppo/train.js';
import { cpuMs } from './stats.mjs';

/** Trains a fresh policy of a discrete world. `ms`: CPU time of the process in all, in updates, and (where asked, for asking costs) in the worlds. */
export function trainTimed({ id, engine = 'wasm', seed, timeWorlds = false, ...given }) {
  const options = ppoSchema.parse(given.options);
  const { observation, actions, options: worldOptions } = environment(id);
  const { hidden, separate, numEnvs } = options;
  const shape = { obsDim: observation.length, hidden, actions: actions.length, gaussian: false, separate };
  const network = makeEngine(engine).network(shape, rowsNeeded(options));
  network.set(initialParams(shape, options, makeStream('init', 'bench', seed)));
  const world = makeEnv(id, worldOptions.parse({}), numEnvs);
  world.resetEach(Array.from({ length: numEnvs }, (_, i) => worldSeed(makeStream('world', 'bench', seed, i))));

  let [worlds, update, updates, updateStart] = [0, 0, 0, 0];
  if (timeWorlds) {
    const step = world.step.bind(world);
    world.step = () => {
      const start = cpuMs();
      step();
      worlds += cpuMs() - start;
    };
  }
  // An update begins where the advantages are known and ends where the iteration is logged.
  const gae = network.gae.bind(network);
  network.gae = (...args) => {
    gae(...args);
    updateStart = cpuMs();
  };
  const log = () => {
    update += cpuMs() - updateStart;
    updates++;
  };
  const [action, shuffle] = [makeStream('action', 'bench', seed), makeStream('shuffle', 'bench', seed)];
  const start = cpuMs();
  const { environmentSteps } = train({ world, network, options, action, shuffle, log });
  const all = cpuMs() - start;
  network.free();
  return { environmentSteps, updates, ms: { all, worlds, update } };
}
