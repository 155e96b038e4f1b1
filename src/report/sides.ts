import { type CellText, NO_NUMBER, overridesText, signed, spreadText, superscripts } from './cells.ts';
import { type Combination, type Comparison, type Partings, type Side, valueText } from './compare.ts';
import { METRICS, type Metric } from './metrics.ts';
import type { Parting } from './partings.ts';
import { layOut, right, type Strip, width, wrap } from './strips.ts';

/** Text for a terminal of 80 columns: for each combination the values of the axis side by side, and below them what each is minus `to`. */
export function printComparison(comparison: Comparison): string {
  const { sweep, axis, to, where, trials, combinations, alone } = comparison;
  const only = where === null ? '' : ` where ${where}`;
  const head = `${sweep}${only}: along ${axis}, compared to ${valueText(to)}; ${trials.ok} of ${trials.asked} trials finished, ${trials.failed} failed`;
  const rest = alone.length > 0 ? [`not compared, because nothing differs from it in ${axis} only: ${alone.join(', ')}`] : [];
  const parts = [
    wrap(head, ''),
    ...combinations.map((one) => [printCombination(comparison, one)]),
    [...rest, ...legend(comparison)].flatMap((text) => wrap(text, '')),
  ];
  return `${parts.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function printCombination({ metrics, to }: Comparison, combination: Combination): string {
  const { scenario, strategy, overrides, quantities, sides, notes } = combination;
  const name = [scenario, strategy, overridesText(overrides)].filter((text) => text !== null && text !== '').join(' ');
  const rows = quantities.map((key): Row => {
    const { header = [metrics[key]?.name ?? key, ''], decimals = 1 } = METRICS.find((m) => m.key === key) ?? {};
    return { name: header.join(' ').trim(), key, decimals };
  });
  const others = sides.filter(({ pairs }) => pairs !== null);
  const [first = '', ...rest] = block('', ['seeds', 'failed', ...rows.map((row) => row.name)], sides, (side) => means(side, rows));
  return [
    [...wrap(name || '(all)', ''), first].join('\n'),
    ...rest,
    ...(others.length > 0
      ? block(`minus ${valueText(to)}`, ['pairs', ...rows.map((row) => row.name), ...partingNames(others)], others, (side) =>
          differences(side, rows),
        )
      : []),
    ...(notes.length > 0 ? [notes.flatMap((note, i) => wrap(note, `${superscripts([i + 1])} `)).join('\n')] : []),
  ].join('\n\n');
}

interface Row extends Pick<Metric, 'key' | 'decimals'> {
  readonly name: string;
}

/** What a side says in a row: a number with its spread, and its interval. */
interface Said {
  readonly number: CellText;
  readonly interval?: string;
}

function block(caption: string, names: readonly string[], sides: readonly Side[], say: (side: Side) => readonly Said[]): string[] {
  const name: Strip = { header: ['', caption], cells: names.map((text) => [text]), align: 'left' };
  const none = names.map(() => []);
  const blocks = layOut({ lead: [name], over: none, under: none }, sides, (side, plusMinus) => {
    const said = say(side);
    const widest = Math.max(...said.map(({ interval = '' }) => width(interval)));
    const cells = said.map(({ number: { mean, std, marks }, interval = '' }) => {
      const text = `${mean}${std === '' ? '' : `${plusMinus}${std}`}${superscripts(marks)}`;
      return [widest > 0 ? `${text} ${right(interval, widest)}` : text];
    });
    return { header: ['', valueText(side.value)], cells, align: 'right' };
  });
  return blocks.map((text) => text.slice(text.indexOf('\n') + 1)); // headers have one line here
}

const plain = (mean: string, marks: readonly number[] = []): Said => ({ number: { mean, std: '', marks } });

const means = ({ n, asked, failed, marks, cells }: Side, rows: readonly Row[]): Said[] => [
  plain(`${n}/${asked}`, marks),
  plain(String(failed)),
  ...rows.map(({ key, decimals }) => {
    const cell = cells[key];
    return cell ? { number: spreadText(cell, decimals) } : plain(NO_NUMBER);
  }),
];

function differences({ pairs, cells, partings }: Side, rows: readonly Row[]): Said[] {
  const ofRows = rows.map(({ key, decimals }): Said => {
    const found = cells[key]?.difference;
    if (!found || found.mean === null) return plain(NO_NUMBER, found?.marks);
    const { low, high } = found;
    const interval = low === null || high === null ? NO_NUMBER : `[${signed(low, decimals)}, ${signed(high, decimals)}]`;
    return { number: spreadText(found, decimals, signed), interval };
  });
  return [plain(String(pairs)), ...ofRows, ...partingsOf(partings)];
}

const PARTINGS = { episodes: 'episodes part at', base: 'weights part at', correction: 'correction parts at' } as const;
const KINDS = ['episodes', 'base', 'correction'] as const;
const partingNames = (sides: readonly Side[]): string[] =>
  sides.some(({ partings }) => partings) ? KINDS.map((kind) => PARTINGS[kind]) : [];

const partingsOf = (partings: Partings | null): Said[] =>
  partings ? KINDS.map((kind) => partingText(partings[kind], kind === 'episodes' ? [] : partings.marks)) : [];

/** `4,096 [2,048, 8,192]`; `never` where all are the same to the end, and how many where only some are. */
function partingText(parting: Parting | null, marks: readonly number[]): Said {
  if (parting === null) return plain(NO_NUMBER, marks);
  const { n, same, median, min, max } = parting;
  if (median === null || min === null || max === null) return plain('never');
  const steps = (x: number): string => x.toLocaleString('en-US');
  const some = same > 0 ? ` (${n - same} of ${n})` : '';
  return { ...plain(`${steps(median)}${some}`), interval: `[${steps(min)}, ${steps(max)}]` };
}

function legend({ combinations, to, axis }: Comparison): string[] {
  const sides = combinations.flatMap((one) => one.sides);
  const parted = sides.some(({ partings }) => partings)
    ? [
        'part at: the first environment step (correction: gradient step) on record at which the mean returns of training episodes, or the digests of the weights, are not the same, median [min, max] over seeds; never: the same to the end. A correction that starts from another base differs at 0.',
      ]
    : [];
  return [
    'seeds: training seeds with numbers/asked; failed: those with a failed trial. mean ± sample standard deviation (÷(n-1)) over seeds; correction seeds are averaged within their training seed first.',
    `minus ${valueText(to)}: the same at that ${axis}, subtracted at equal seeds: mean ± std of the differences, and 95 % interval of their mean (Student's t).`,
    ...parted,
    `${NO_NUMBER}: no number.`,
  ];
}
