// npm run bench [-- section ...]: how fast this is here, and the same work in other people's software. Without a name, every section.
// A section is a function that returns rows { name, unit, value, n, min, median, max }; what is compared is run in turns, round by round.
import { cpus } from 'node:os';
import { broker } from './broker.mjs';
import { correction } from './correction.mjs';
import { engines } from './engines.mjs';
import { lunarlander } from './lunarlander.mjs';
import { plan } from './plan.mjs';
import { ppo } from './ppo.mjs';
import { recheck } from './recheck.mjs';
import { runner } from './runner.mjs';
import { table } from './table.mjs';
import { worlds } from './worlds.mjs';

const SECTIONS = { worlds, ppo, engines, lunarlander, correction, runner, broker, recheck, plan, table };

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !Object.hasOwn(SECTIONS, name));
if (unknown.length > 0) {
  console.error(`bench: expected sections of ${Object.keys(SECTIONS).join(', ')}, got ${unknown.join(', ')}`);
  process.exit(2);
}

for (const name of chosen.length > 0 ? chosen : Object.keys(SECTIONS)) {
  const { title, notes, rows } = await SECTIONS[name]((message) => console.error(`${name}: ${message}`));
  console.log(`\n${name}: ${title}\n`);
  console.log(printRows(rows));
  for (const note of notes) console.log(`\n${note}`);
}
const cores = cpus();
console.log(
  `\n${cores[0]?.model.trim() ?? 'unknown CPU'}, ${cores.length} cores, node ${process.version}, ${process.platform} ${process.arch}`,
);

function printRows(rows) {
  const lines = [
    ['', 'median', 'min', 'max', 'n', 'unit'],
    ...rows.map(({ name, unit, n, min, median, max }) => [name, ...[median, min, max].map(printNumber), String(n), unit]),
  ];
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  const pad = (cell, i) => (i === 0 || i === 5 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]));
  return lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n');
}

function printNumber(x) {
  return x.toLocaleString('en-US', { maximumSignificantDigits: 4 });
}
