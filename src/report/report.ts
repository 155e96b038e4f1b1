import { METRICS, type Metric, metricName } from './metrics.ts';
import type { TrialRecord } from './records.ts';
import { type ArmSummary, type Summary, summarize } from './summarize.ts';

/** A table of results as data: what is printed, and what `--json` gives. A mark k stands for `notes[k - 1]`. */
export interface Report {
  readonly version: 1;
  readonly sweep: string;
  readonly tables: readonly ScenarioTable[];
  /** Rows on disk that belong to no trial of the sweep. */
  readonly strangers: number;
}

export interface ScenarioTable {
  readonly scenario: string;
  readonly seeds: number;
  readonly correctionSeeds: number;
  /** How many were asked for, have numbers, and failed. */
  readonly trials: { readonly asked: number; readonly ok: number; readonly failed: number };
  /** Of the whole table. */
  readonly marks: readonly number[];
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
}

/** Counts are of training seeds: `n` with a number, of `asked`; `failed` with at least one failed trial. */
export interface Row {
  readonly strategy: string;
  readonly overrides: TrialRecord['overrides'];
  readonly asked: number;
  readonly n: number;
  readonly failed: number;
  readonly marks: readonly number[];
  readonly cells: Readonly<Record<string, Cell>>;
}

export interface Cell extends Summary {
  readonly unit: Metric['unit'];
  readonly marks: readonly number[];
}

/** One table per scenario, in the order of the sweep; `none` and `retrain` frame every one of them and come first. */
export function makeReport(sweep: string, records: readonly TrialRecord[], strangers: number): Report {
  const scenarios = [...groups(records, (r) => r.scenario)];
  return { version: 1, sweep, tables: scenarios.map(([scenario, trials]) => makeTable(scenario, trials)), strangers };
}

/** Said below the tables when there is something to say. */
export const strangersText = ({ strangers }: Report): string[] =>
  strangers > 0 ? [`trials.jsonl has ${strangers} row${strangers === 1 ? '' : 's'} of no trial of this sweep: not in the table.`] : [];

/** True when every trial that was asked for has finished with numbers. */
export const isComplete = (report: Report): boolean => report.tables.every(({ trials }) => trials.ok === trials.asked);

function makeTable(scenario: string, trials: readonly TrialRecord[]): ScenarioTable {
  const notes: string[] = [];
  const mark = (texts: readonly string[]): number[] =>
    texts.map((text) => (notes.includes(text) ? notes.indexOf(text) + 1 : notes.push(text)));
  const frames = (r: TrialRecord): boolean => r.strategy === 'none' || r.strategy === 'retrain';
  const ordered = [...trials.filter(frames), ...trials.filter((r) => !frames(r))];
  const byArm = groups(ordered, (r) => r.arm);
  const marks = mark(acceptanceNotes(trials));
  const rows = summarize(ordered).map((arm) => makeRow(arm, byArm.get(arm.arm) ?? [], mark));
  const distinct = (of: (r: TrialRecord) => number): number => new Set(trials.map(of)).size;
  const count = (state: TrialRecord['state']): number => trials.filter((r) => r.state === state).length;
  const counts = { asked: trials.length, ok: count('ok'), failed: count('failed') };
  const seeds = { seeds: distinct((r) => r.seed), correctionSeeds: distinct((r) => r.correctionSeed) };
  return { scenario, ...seeds, trials: counts, marks, rows, notes };
}

function makeRow(arm: ArmSummary, trials: readonly TrialRecord[], mark: (texts: readonly string[]) => number[]): Row {
  const { strategy = '', overrides = {} } = trials[0] ?? {};
  const { asked, n, failed } = arm;
  const marks = mark([...failureNotes(trials, arm), ...missingNotes(trials)]);
  const cells = METRICS.map((metric): [string, Cell] => {
    const summary = arm.metrics[metric.key] ?? { n: 0, mean: null, std: null };
    return [metric.key, { ...summary, unit: metric.unit, marks: mark(cellNotes(metric, strategy, summary, n, trials)) }];
  });
  return { strategy, overrides, asked, n, failed, marks, cells: Object.fromEntries(cells) };
}

/** How much of a message or list stands in a footnote. */
const SHOWN = 3;
const MESSAGE = 160;

function acceptanceNotes(trials: readonly TrialRecord[]): string[] {
  const judged = [
    ...groups(
      trials.filter((r) => r.state === 'ok'),
      (r) => r.baseId,
    ).values(),
  ];
  const refused = judged.flatMap((ofBase) => ofBase.find((r) => r.notAccepted.length > 0) ?? []);
  if (refused.length === 0) return [];
  const why = bySeeds(refused, (r) => r.notAccepted.map(brief).join('; '));
  return [`${refused.length} of ${judged.length} bases are not accepted for this scenario, and count all the same: ${why}`];
}

function failureNotes(trials: readonly TrialRecord[], { asked, failed }: ArmSummary): string[] {
  const lost = trials.filter((r) => r.state === 'failed');
  if (lost.length === 0) return [];
  const alive = new Set(trials.filter((r) => r.state === 'ok').map((r) => r.seed));
  const partly = new Set(lost.map((r) => r.seed).filter((seed) => alive.has(seed))).size;
  const why = bySeeds(lost, ({ failure }) => (failure ? `${failure.kind}: ${brief(failure.message)}` : 'failed'));
  const rest = partly > 0 ? `; of these, ${partly} ${partly === 1 ? 'counts' : 'count'} with the other correction seeds` : '';
  return [`${failed} of ${asked} seeds failed: ${why}${rest}`];
}

function missingNotes(trials: readonly TrialRecord[]): string[] {
  const missing = trials.filter((r) => r.state === 'missing').length;
  return missing > 0 ? [`${missing} of ${trials.length} trials have no row yet`] : [];
}

function cellNotes(metric: Metric, strategy: string, summary: Summary, rowN: number, trials: readonly TrialRecord[]): string[] {
  const notes: string[] = [];
  const masked = strategy === 'retrain' && metric.forgetting; // says so once, below the table
  if (summary.n !== rowN && !masked) notes.push(`${metricName(metric)}: n = ${summary.n} of ${rowN}; ${metric.missing} in the rest`);
  if (metric.key === 'timeOverhead') {
    const timed = trials.filter((r) => typeof r.values[metric.key] === 'number');
    const mixed = timed.filter((r) => r.mixedHosts).length;
    if (mixed > 0) notes.push(`time: in ${mixed} of ${timed.length} trials correction and training were timed on different hosts`);
  }
  return notes;
}

/** `seeds 3, 4 (reason); seed 5 (another)`, the first few. */
function bySeeds(trials: readonly TrialRecord[], reason: (r: TrialRecord) => string): string {
  const reasons = [...groups(trials, reason)].map(([why, those]) => {
    const seeds = [...new Set(those.map((r) => r.seed))].sort((a, b) => a - b);
    const more = seeds.length > 2 * SHOWN ? ` and ${seeds.length - 2 * SHOWN} more` : '';
    return `seed${seeds.length > 1 ? 's' : ''} ${seeds.slice(0, 2 * SHOWN).join(', ')}${more} (${why})`;
  });
  const more = reasons.length > SHOWN ? [`${reasons.length - SHOWN} other reasons`] : [];
  return [...reasons.slice(0, SHOWN), ...more].join('; ');
}

function brief(message: string): string {
  const line = message.split('\n', 1)[0] ?? '';
  return line.length > MESSAGE ? `${line.slice(0, MESSAGE - 3)}...` : line;
}

/** In the order in which the keys first appear. */
function groups<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const map = new Map<K, T[]>();
  for (const item of items) {
    const group = map.get(key(item));
    if (group) group.push(item);
    else map.set(key(item), [item]);
  }
  return map;
}
