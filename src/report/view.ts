import { ConfigError } from '../contract/errors.ts';
import { canonicalJson } from '../contract/ids.ts';
import { suggest } from '../contract/problems.ts';
import type { Sweep } from '../contract/sweep.ts';
import type { Asked } from './asked.ts';

/** What somebody wants to see, as it was written. */
export interface ViewOptions {
  /** The filter language of `where.ts`; absent: every trial. */
  readonly where?: string | undefined;
  /** Axes; absent: those of the sweep's report. */
  readonly groupBy?: readonly string[] | undefined;
  /** Keys; absent: the usual columns. */
  readonly metrics?: readonly string[] | undefined;
  /** A strategy; null: none; absent: the one of the sweep's report, if it is there. */
  readonly baseline?: string | null | undefined;
  readonly perSeed?: boolean | undefined;
}

/** The same, judged. */
export interface View {
  readonly where: string | null;
  /** Null: a row per arm. */
  readonly groupBy: readonly string[] | null;
  /** Columns were chosen: one without any number is shown, too. */
  readonly chosen: boolean;
  /** Null: nothing to compare with. */
  readonly baseline: string | null;
  readonly perSeed: boolean;
}

/** `trials`: those that the filter leaves. Throws ConfigError for a name that is not there. */
export function viewOf(options: ViewOptions, { axes, report }: Sweep, trials: readonly Asked[]): View {
  const groupBy = options.groupBy ? chooseAxes(options.groupBy, trials) : report.groupBy;
  // A sweep that groups by all of its axes groups by arms: what an arm differs in need not be an axis.
  const byArm = !options.groupBy && Object.keys(axes).every((name) => groupBy.includes(name));
  const strategies = [...new Set(trials.map(({ strategy }) => strategy))];
  const isComparable = byArm || groupBy.includes('strategy');
  const { baseline = report.baseline } = options;
  if (typeof options.baseline === 'string') {
    if (!isComparable)
      throw new ConfigError(
        `--baseline: expected rows of one strategy each, got rows by ${groupBy.join(', ')}; add strategy to --group-by`,
      );
    if (!strategies.includes(options.baseline)) {
      const remedy = suggest(options.baseline, strategies, 'there are');
      throw new ConfigError(`--baseline: expected a strategy of the table, got ${options.baseline || 'nothing'}; ${remedy}`);
    }
  }
  return {
    where: options.where?.trim() || null,
    groupBy: byArm ? null : groupBy,
    chosen: options.metrics !== undefined,
    baseline: baseline !== null && strategies.includes(baseline) && isComparable ? baseline : null,
    perSeed: options.perSeed ?? false,
  };
}

function chooseAxes(names: readonly string[], trials: readonly Asked[]): string[] {
  const known = ['scenario', 'strategy', ...new Set(trials.flatMap(({ overrides }) => Object.keys(overrides)))];
  return [...new Set(names)].map((name) => {
    if (known.includes(name)) return name;
    const isSeed = name === 'seed' || name === 'correctionSeed';
    const remedy = isSeed ? 'seeds are averaged over; --per-seed shows each' : suggest(name, known, 'there are');
    throw new ConfigError(`--group-by: expected an axis of this sweep, got ${name || 'nothing'}; ${remedy}`);
  });
}

/** What the trials of one row have in common, besides the scenario. */
export function rowOf({ groupBy }: View, trial: Asked): { readonly strategy: string | null; readonly overrides: Asked['overrides'] } {
  if (groupBy === null) return { strategy: trial.strategy, overrides: trial.overrides };
  const overrides = Object.entries(trial.overrides).filter(([name]) => groupBy.includes(name));
  return { strategy: groupBy.includes('strategy') ? trial.strategy : null, overrides: Object.fromEntries(overrides) };
}

/** Which row a trial belongs to; the scenario starts a table. */
export function rowKey(view: View, trial: Asked): string {
  if (view.groupBy === null) return trial.arm;
  const { strategy, overrides } = rowOf(view, trial);
  return canonicalJson([trial.scenario, strategy, overrides]);
}
