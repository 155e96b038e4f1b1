// Brings TensorFlow.js into node_modules, for engine: tfjs-cpu and its tests; `npm run tfjs:native` goes on from there to engine: tfjs.
//   node tools/tfjs.mjs [--if-reachable]     the option: without it, where npm cannot be reached, is no error; tests say what they leave out
// Exit codes: 0 it is there, 2 usage, 3 it cannot be had.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { lastWords, Missing } from './tfjs/binding.mjs';
import { arePackagesIn, bringPackages, versionOf } from './tfjs/packages.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const VERSION = versionOf('@tensorflow/tfjs');

try {
  const { values } = parseArgs({ options: { 'if-reachable': { type: 'boolean', default: false } } });
  if (!arePackagesIn(root)) {
    console.error(`tfjs: npm brings TensorFlow.js ${VERSION}, once, until npm ci or npm install removes it`);
    await bringPackages(root).catch((error) => {
      if (!(error instanceof Missing && values['if-reachable'])) throw error;
      console.error(`tfjs: ${error.message}; its tests are left out`);
    });
  }
} catch (error) {
  const usage = error.code?.startsWith('ERR_PARSE_ARGS');
  console.error(`tfjs: ${error instanceof Missing || usage ? error.message : lastWords(error)}`);
  process.exitCode = error instanceof Missing ? 3 : usage ? 2 : 1;
}
