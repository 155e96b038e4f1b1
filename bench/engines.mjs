// Gradient steps of PPO on every engine, and on TensorFlow.js's wasm backend: each in a process of its own with one thread, asked in turns.
import { fileURLToPath } from 'node:url';
import { connectPeer } from './peers/peer.mjs';
import { ratio, row } from './stats.mjs';

const ROUNDS = 5;
const ENGINES = ['wasm', 'reference', 'tfjs', 'tfjs-wasm', 'tfjs-cpu'];
/** tfjs-cpu takes half a minute for a step of 1024-1024. */
const WIDE = ['wasm', 'tfjs', 'reference', 'tfjs-wasm'];
const SIZES = [
  { hidden: [64, 64], engines: ENGINES },
  { hidden: [128, 128], engines: ['wasm', 'tfjs'] },
  { hidden: [256, 256], engines: ENGINES },
  { hidden: [512, 512], engines: ['wasm', 'tfjs'] },
  { hidden: [1024, 1024], engines: WIDE },
];
const MINIBATCHES = [64, 2048];
const BUDGET_MS = 600;
/** Engines that may need seconds for a step of a wide network are asked in fewer rounds. */
const SLOW = new Set(['reference', 'tfjs-cpu', 'tfjs-wasm']);
const SLOW_FROM = 256;
const SLOW_ROUNDS = 3;

export async function engines(say) {
  const script = fileURLToPath(new URL('./peers/engine.mjs', import.meta.url));
  const start = (engine) => connectPeer(process.execPath, [script, engine]);
  const [peers, starts, notes] = [new Map(), new Map(), []];
  for (const engine of ENGINES) {
    const { peer, absent } = await start(engine);
    if (absent) notes.push(`no ${engine}: ${absent}`);
    else peers.set(engine, peer);
  }
  const samples = new Map();
  const note = (key, value) => samples.set(key, [...(samples.get(key) ?? []), value]);
  try {
    for (let round = 0; round < ROUNDS; round++) {
      say(`round ${round + 1} of ${ROUNDS}`);
      for (const engine of peers.keys()) {
        const { peer } = await start(engine);
        starts.set(engine, [...(starts.get(engine) ?? []), peer.about]);
        peer.stop();
      }
      for (const { hidden, engines: asked } of SIZES) {
        for (const minibatch of MINIBATCHES) {
          for (const engine of asked) {
            const slow = SLOW.has(engine) && hidden[0] >= SLOW_FROM;
            if (!peers.has(engine) || (slow && round >= SLOW_ROUNDS)) continue;
            const { updateMs } = await peers.get(engine).ask(JSON.stringify({ hidden, minibatch, budgetMs: BUDGET_MS }));
            note(`${engine} ${hidden} ${minibatch}`, updateMs);
          }
        }
      }
      for (const engine of peers.keys()) note(`${engine} one`, (await peers.get(engine).ask(JSON.stringify({ hidden: [64, 64] }))).us);
    }
  } finally {
    for (const peer of peers.values()) peer.stop();
  }
  const updates = SIZES.flatMap(({ hidden, engines: asked }) =>
    MINIBATCHES.flatMap((minibatch) => {
      const of = (engine) => samples.get(`${engine} ${hidden} ${minibatch}`);
      const what = `${hidden.join('-')}, minibatch ${minibatch}`;
      return [
        ...asked.filter(of).map((engine) => row(`${engine}, ${what}`, 'ms per update', of(engine))),
        ...(of('tfjs') ? [ratio(`tfjs / wasm, ${what}`, of('tfjs'), of('wasm'))] : []),
      ];
    }),
  );
  return {
    title: 'a PPO update (2048 transitions, 10 epochs) by engine, from single gradient steps; CPU time, one thread',
    rows: [
      ...updates,
      ...[...peers.keys()].map((engine) => row(`${engine}, 64-64`, 'us per forward of one row', samples.get(`${engine} one`))),
      ...[...starts].map(([engine, abouts]) =>
        row(
          `${engine}, loading and a first gradient step`,
          'ms (wall)',
          abouts.map(({ startMs }) => startMs),
        ),
      ),
      ...[...starts].map(([engine, abouts]) =>
        row(
          `${engine}, process after it`,
          'MB resident',
          abouts.map(({ rssMb }) => rssMb),
        ),
      ),
    ],
    notes: [...notes, await gradients([...peers.keys()])],
  };
}

/** Largest relative difference of gradients, loss by loss, as one table. */
async function gradients(present) {
  const { runnerImport } = await import('vite');
  const { module } = await runnerImport(fileURLToPath(new URL('../test/math/gradients.ts', import.meta.url)), { configFile: false });
  const pairs = [
    ['reference', 'recorded'],
    ['wasm', 'recorded'],
    ['tfjs', 'recorded'],
    ['tfjs-cpu', 'recorded'],
    ['wasm', 'tfjs'],
  ].filter((pair) => pair.every((name) => name === 'recorded' || present.includes(name)));
  const columns = pairs.map(([a, b]) => module.gradientDistances(a, b));
  const lines = [
    ['loss', ...pairs.map(([a, b]) => `${a} - ${b}`)],
    ...Object.keys(columns[0]).map((loss) => [loss, ...columns.map((column) => column[loss]?.toExponential(1) ?? '–')]),
  ];
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  const text = lines.map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '));
  return `largest difference of gradients, relative to the largest entry; 4 networks, float64 gradients by automatic differentiation as recorded\n\n${text.join('\n')}`;
}
