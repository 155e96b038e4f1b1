import { abridge, firstLine } from '../contract/problems.ts';
import { groups } from './groups.ts';
import { isMasked, metricName } from './metrics.ts';
import type { Column, TrialRecord } from './records.ts';
import type { Summary } from './statistics.ts';
import type { SeedLine } from './summarize.ts';

/** How much of a message or list stands in a footnote. */
const SHOWN = 3;
const MESSAGE = 240;

export function acceptanceNotes(trials: readonly TrialRecord[]): string[] {
  if (trials.every((r) => r.notAccepted.length === 0)) return [];
  const finished = trials.filter((r) => r.state === 'ok');
  const judged = [...groups(finished, (r) => r.base).values()];
  const refused = judged.flatMap((ofBase) => ofBase.find((r) => r.notAccepted.length > 0) ?? []);
  const why = bySeeds(refused, (r) => r.notAccepted.map(brief).join('; '));
  return [`${refused.length} of ${judged.length} bases are not accepted for this scenario, and count all the same: ${why}`];
}

const PLAIN = 'computed by TensorFlow.js without its native library (engine tfjs-cpu): its times are not those of TensorFlow';

/** Nobody should take plain JavaScript for the native library. Of the whole table where all of it is, otherwise of its rows. */
export const engineNotes = (trials: readonly TrialRecord[]): string[] => (trials.every(isPlain) ? [PLAIN] : []);
const isPlain = ({ trial }: TrialRecord): boolean => trial.engine === 'tfjs-cpu';

/** Of one row of a table: that some of it is such. */
export function rowEngineNotes(trials: readonly TrialRecord[], ofTable: readonly TrialRecord[]): string[] {
  const plain = trials.filter(isPlain).length;
  if (plain === 0 || ofTable.every(isPlain)) return [];
  return [plain === trials.length ? PLAIN : `${plain} of ${trials.length} trials ${PLAIN}`];
}

/** Of one row: the trials that failed, and those without a row. */
export function rowNotes(trials: readonly TrialRecord[], lines: readonly SeedLine[]): string[] {
  const lost = trials.filter((r) => r.state === 'failed');
  const missing = trials.filter((r) => r.state === 'missing').length;
  const failed = lines.filter((line) => line.failed > 0);
  const partly = failed.filter((line) => line.ok > 0).length;
  const rest = partly > 0 ? `; of these, ${partly} ${partly === 1 ? 'counts' : 'count'} with the other trials of the seed` : '';
  return [
    ...(lost.length > 0 ? [`${failed.length} of ${lines.length} seeds failed: ${bySeeds(lost, failureText)}${rest}`] : []),
    ...(missing > 0 ? [`${missing} of ${trials.length} trials have no row yet`] : []),
  ];
}

const failureText = ({ failure }: TrialRecord): string => (failure ? `${failure.kind}: ${brief(failure.message)}` : 'failed');

/** In full: of one trial there is room for it. */
export const failureLine = ({ failure }: TrialRecord): string => (failure ? `${failure.kind}: ${firstLine(failure.message)}` : 'failed');

/** Of one number: the seeds that have none although they have finished, and the trials that are not in the number of their seed. */
export function cellNotes(
  { metric, values }: Column,
  strategy: string | null,
  { n }: Summary,
  lines: readonly SeedLine[],
  trials: readonly TrialRecord[],
): string[] {
  const notes: string[] = [];
  const counts = ({ ok, failed }: SeedLine): boolean => ok > 0 || (metric.ofFailed !== undefined && failed > 0);
  const of = lines.filter(counts).length;
  // Of a mask it is said once for all, below the table; and a column that some rows have need not be in all of them.
  const isExpected = isMasked(strategy, metric) || (metric.shown === 'if any' && n === 0);
  if (n !== of && !isExpected) {
    const rest = of - n === 1 ? 'the other has none' : `the other ${of - n} have none`;
    const counted = n > 0 ? `n = ${n} of ${of} seeds; ${rest}` : `no number from ${of === 1 ? 'the only seed' : `any of ${of} seeds`}`;
    notes.push(`${metricName(metric)}: ${counted}: ${metric.missing}`);
  }
  const partly = metric.shown === 'if any' ? 0 : leftOut(trials, { metric, values }, lines);
  if (partly > 0)
    notes.push(
      `${metricName(metric)}: ${partly} of ${trials.length} trials have none and are not in the mean of their seed: ${metric.missing}`,
    );
  if (metric.key === 'timeOverhead') {
    const timed = trials.filter((r) => r.timedOn !== null);
    const mixed = timed.filter((r) => r.timedOn === 'two hosts').length;
    if (mixed > 0) notes.push(`time: in ${mixed} of ${timed.length} trials correction and training were timed on different hosts`);
  }
  return notes;
}

/** Finished trials without a number in seeds that have one, from other correction seeds or arms. */
function leftOut(trials: readonly TrialRecord[], { metric, values }: Column, lines: readonly SeedLine[]): number {
  const numbered = new Set(lines.filter((line) => (line.values[metric.key] ?? null) !== null).map(({ seed }) => seed));
  const isOut = ({ state, at, trial }: TrialRecord): boolean =>
    state === 'ok' && Number.isNaN(values[at]) && numbered.has(trial.seed) && !isMasked(trial.strategy, metric);
  return trials.filter(isOut).length;
}

/** `seeds 3, 4 (reason); seed 5 (another)`, the first few. */
function bySeeds(trials: readonly TrialRecord[], reason: (r: TrialRecord) => string): string {
  const reasons = [...groups(trials, reason)].map(([why, those]) => {
    const seeds = [...new Set(those.map((r) => r.trial.seed))].sort((a, b) => a - b);
    const more = seeds.length > 2 * SHOWN ? ` and ${seeds.length - 2 * SHOWN} more` : '';
    return `seed${seeds.length > 1 ? 's' : ''} ${seeds.slice(0, 2 * SHOWN).join(', ')}${more} (${why})`;
  });
  const more = reasons.length > SHOWN ? [`${reasons.length - SHOWN} other reasons`] : [];
  return [...reasons.slice(0, SHOWN), ...more].join('; ');
}

const brief = (message: string): string => abridge(message, MESSAGE);
