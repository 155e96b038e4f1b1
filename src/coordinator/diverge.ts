import { canonicalJson } from '../contract/ids.ts';
import { abridge } from '../contract/problems.ts';
import type { BaseRow, Evaluation, TrialRow } from '../contract/rows.ts';

/** Where a rerun first parted from the stored row, in the order of the pipeline. */
export interface Divergence {
  /** `base policy`, `base evaluation`, `acceptance`, `forget set`, `correction`, `final weights`, `evaluation`, or the path of a field. */
  readonly where: string;
  readonly stored: string;
  readonly again: string;
}

type Check = () => Divergence | null;

const first = (checks: readonly Check[]): Divergence | null => {
  for (const check of checks) {
    const found = check();
    if (found) return found;
  }
  return null;
};

const same = (where: string, stored: unknown, again: unknown): Divergence | null =>
  canonicalJson(stored ?? null) === canonicalJson(again ?? null) ? null : { where, stored: show(stored), again: show(again) };

const show = (value: unknown): string => {
  if (typeof value === 'string') return abridge(value, 400); // a failure's message, what to do included
  const text = value === undefined ? 'nothing' : canonicalJson(value);
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
};

/** The first digest of a trace that differs, with the step at which it was taken. */
function trace(
  where: string,
  stored: readonly string[],
  again: readonly string[],
  steps: readonly number[],
  unit: string,
): Divergence | null {
  const at = stored.findIndex((digest, i) => digest !== again[i]);
  if (at < 0) return again.length > stored.length ? same(`${where}, number of checkpoints`, stored.length, again.length) : null;
  return {
    where: `${where}, checkpoint ${at + 1} of ${stored.length} (${unit} ${steps[at] ?? '?'})`,
    stored: show(stored[at]),
    again: show(again[at]),
  };
}

const evaluation = (where: string, stored: Evaluation, again: Evaluation): Divergence | null => same(where, stored, again);

/** Any field, in the order of canonical JSON. */
function anyField(stored: unknown, again: unknown, path = ''): Divergence | null {
  if (canonicalJson(stored ?? null) === canonicalJson(again ?? null)) return null;
  if (isObject(stored) && isObject(again)) {
    for (const key of [...new Set([...Object.keys(stored), ...Object.keys(again)])].sort()) {
      const found = anyField(stored[key], again[key], path === '' ? key : `${path}.${key}`);
      if (found) return found;
    }
  }
  return { where: path === '' ? 'row' : path, stored: show(stored), again: show(again) };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

export function baseDivergence(stored: BaseRow, again: BaseRow): Divergence | null {
  if (!stored.ok || !again.ok) return anyField(stored, again, 'base');
  const [a, b] = [stored.result, again.result];
  return first([
    () => trace('base policy', a.trace, b.trace, a.returns.step, 'environment step'),
    () => same('base policy, final weights', a.policy, b.policy),
    () => evaluation('base evaluation, greedy', a.greedy, b.greedy),
    () => evaluation('base evaluation, sampled', a.sampled, b.sampled),
    () => evaluation('base evaluation, random', a.random, b.random),
    () => anyField(stored, again, 'base'),
  ]);
}

/** Null: the same bytes. */
export function trialDivergence(stored: TrialRow, again: TrialRow): Divergence | null {
  if (!stored.ok || !again.ok) return anyField(stored, again);
  const [a, b] = [stored.result, again.result];
  const steps = (a.forgetCurve ?? a.returnCurve)?.step ?? [];
  return first([
    () => same('acceptance', a.acceptance, b.acceptance),
    () => same('forget set', a.forgetSet, b.forgetSet),
    () => trace('correction', a.trace, b.trace, steps, 'gradient step'),
    () => same('final weights', a.policy, b.policy),
    () => evaluation('evaluation, greedy', a.greedy, b.greedy),
    () => evaluation('evaluation, sampled', a.sampled, b.sampled),
    () => anyField(stored, again),
  ]);
}
