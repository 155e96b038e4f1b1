import type { CompiledRule } from '../contract/spec.ts';
import { everyAction } from '../math/categorical.ts';
import { neighbour } from '../math/float32.ts';
import type { Stream } from '../math/rng/threefry.ts';

/** One dimension of the bounding box that is sampled. `integer`: only whole numbers occur there (a leg touches the ground or not). */
export interface Span {
  readonly low: number;
  readonly high: number;
  readonly integer?: boolean;
}

const MAX_TRIES = 10_000;

/** Whether row `row` lies in the rule's box, widened by margin[index] at both ends where there is one. NaN lies in no box, in whichever dimension. */
function inBox(rule: CompiledRule, obs: Float32Array, row: number, obsDim: number, margin: Float32Array | null): boolean {
  const at = row * obsDim;
  for (const { index, low, high } of rule.dims) {
    const value = obs[at + index]!;
    const wider = margin === null ? 0 : margin[index]!;
    if (!(value >= low - wider && value <= high + wider)) return false;
  }
  for (let k = at; k < at + obsDim; k++) if (Number.isNaN(obs[k])) return false;
  return true;
}

/**
 * T(s), what is forbidden in row `row` of `obs`: bit a is set where a rule that forbids the discrete action a holds (fewer than 32 of them);
 * of continuous actions the number of the half-space, no two of which are forbidden in one state.
 * Shapes: obs is [rows, obsDim].
 */
export function toxicMask(rules: readonly CompiledRule[], obs: Float32Array, row: number, obsDim: number): number {
  let mask = 0;
  for (const rule of rules) {
    if (inBox(rule, obs, row, obsDim, null)) mask |= rule.toxic;
  }
  return mask;
}

/** Whether row `row` lies in S_f or within `margin` [obsDim] of it: in one of the boxes, each widened by margin[d] at both ends of every dimension it bounds. */
export function inMargin(rules: readonly CompiledRule[], obs: Float32Array, row: number, obsDim: number, margin: Float32Array): boolean {
  for (const rule of rules) if (inBox(rule, obs, row, obsDim, margin)) return true;
  return false;
}

/** The least float32 from x up. */
function roundUp(x: number): number {
  const nearest = Math.fround(x);
  return nearest < x ? neighbour(nearest, true) : nearest;
}

/** A box whose every float32 is a sample: bounds rounded inwards to float32, or to whole numbers. */
interface Box {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

function makeBox(name: string, box: readonly Span[]): Box {
  const low = Float64Array.from(box, (d) => roundUp(d.integer ? Math.ceil(d.low) : d.low));
  const high = Float64Array.from(box, (d) => -roundUp(-(d.integer ? Math.floor(d.high) : d.high)));
  box.forEach((d, k) => {
    if (!Number.isFinite(d.low) || !Number.isFinite(d.high) || !(low[k]! <= high[k]!)) {
      throw new RangeError(
        `${name}: expected finite bounds low <= high with a value between them in dimension ${k}, got ${d.low} and ${d.high}`,
      );
    }
  });
  return { low, high };
}

function checkRoom(name: string, box: readonly Span[], out: Float32Array, rows: number): void {
  if (out.length < rows * box.length) {
    throw new RangeError(`${name}: expected room for ${rows} rows of ${box.length}, got ${out.length} numbers`);
  }
}

/** One uniform sample into out[at..]. Between float32 bounds the rounding to float32 cannot leave them. */
function sampleBox(span: readonly Span[], box: Box, stream: Stream, out: Float32Array, at: number): void {
  for (let k = 0; k < span.length; k++) {
    const low = box.low[k]!;
    const width = box.high[k]! - low;
    out[at + k] = span[k]!.integer ? low + stream.int(width + 1) : Math.min(low + width * stream.uniform(), box.high[k]!);
  }
}

/** Writes `rows` uniform samples of the closed box. Shapes: out is [rows, box.length]. Throws: RangeError where the box is empty or not finite. */
export function uniformInBox(box: readonly Span[], stream: Stream, out: Float32Array, rows: number): void {
  checkRoom('uniformInBox', box, out, rows);
  const whole = makeBox('uniformInBox', box);
  for (let row = 0; row < rows; row++) sampleBox(box, whole, stream, out, row * box.length);
}

/** A rule's box within the bounding box; `flat` counts the dimensions in which it has no width. */
interface Part {
  readonly box: Box;
  readonly volume: number;
  readonly flat: number;
}

/** The rules' boxes within `box`, without those that miss it. */
function partsOf(rules: readonly CompiledRule[], box: readonly Span[]): Part[] {
  const whole = makeBox('region', box);
  return rules.flatMap(({ dims }): Part[] => {
    const part: Box = { low: whole.low.slice(), high: whole.high.slice() };
    for (const { index, low, high } of dims) {
      const integer = box[index]!.integer;
      part.low[index] = Math.max(part.low[index]!, integer ? Math.ceil(low) : low);
      part.high[index] = Math.min(part.high[index]!, integer ? Math.floor(high) : high);
    }
    let volume = 1;
    let flat = 0;
    for (let k = 0; k < box.length; k++) {
      const width = part.high[k]! - part.low[k]!;
      if (!(width >= 0)) volume = 0;
      else if (box[k]!.integer) volume *= width + 1;
      else if (width > 0) volume *= width;
      else flat++;
    }
    return volume > 0 ? [{ box: part, volume, flat }] : [];
  });
}

/**
 * For each row of `points`, which must lie in S_f within `box`, the first rule's box that contains it: where it may move without leaving S_f.
 * Shapes: points, low, high are [rows, box.length]. Whole-number dimensions are fixed: low = high. Throws: RangeError for a point outside.
 */
export function boxesAround(
  rules: readonly CompiledRule[],
  box: readonly Span[],
  points: Float32Array,
  rows: number,
  low: Float64Array,
  high: Float64Array,
): void {
  const parts = partsOf(rules, box);
  for (let row = 0; row < rows; row++) {
    const at = row * box.length;
    const part = parts.find((p) => contains(p.box, points, at));
    if (!part) throw new RangeError(`boxesAround: expected points of the region, got row ${row} outside`);
    for (let k = 0; k < box.length; k++) {
      const fixed = box[k]!.integer ? points[at + k]! : undefined;
      low[at + k] = fixed ?? part.box.low[k]!;
      high[at + k] = fixed ?? part.box.high[k]!;
    }
  }
}

/**
 * The rules that together forbid too much somewhere, by their indices; null if there is no such state. Exact: boxes intersect or they do not.
 * Too much is every one of `actions` discrete actions, or (null) more than one half-space of continuous ones.
 */
export function conflict(rules: readonly CompiledRule[], obsDim: number, actions: number | null): number[] | null {
  const all = everyAction(actions ?? 0);
  const search = (next: number, low: Float64Array, high: Float64Array, forbidden: number, chosen: number[]): number[] | null => {
    if (actions === null ? chosen.length === 2 : forbidden === all) return chosen;
    for (let i = next; i < rules.length; i++) {
      const { dims, toxic } = rules[i]!;
      const more = forbidden | toxic;
      if (actions !== null && more === forbidden) continue;
      const [l, h] = [low.slice(), high.slice()];
      for (const { index, low: from, high: to } of dims) {
        l[index] = Math.max(l[index]!, from);
        h[index] = Math.min(h[index]!, to);
      }
      if (l.some((x, k) => !(x <= h[k]!))) continue;
      const found = search(i + 1, l, h, more, [...chosen, i]);
      if (found) return found;
    }
    return null;
  };
  return search(0, new Float64Array(obsDim).fill(-Infinity), new Float64Array(obsDim).fill(Infinity), 0, []);
}

/**
 * Writes `rows` samples, uniform over S_f within `box`: over the union of the rules' boxes, each intersected with it.
 * One of them is chosen by its volume, a point in it drawn, and kept with probability 1/(number of them that contain it), so that overlaps count once.
 * A box that is flat in a dimension where another is not has no volume beside it; when all are equally flat, their faces are sampled.
 * Shapes: out is [rows, box.length]. Throws: RangeError where no rule's box meets `box`.
 */
export function sampleRegion(rules: readonly CompiledRule[], box: readonly Span[], stream: Stream, out: Float32Array, rows: number): void {
  checkRoom('sampleRegion', box, out, rows);
  let parts = partsOf(rules, box);
  const leastFlat = Math.min(...parts.map((p) => p.flat));
  parts = parts.filter((p) => p.flat === leastFlat);
  if (parts.length === 0) {
    throw new RangeError(
      `sampleRegion: expected a rule that holds somewhere in the box, got ${rules.length} that do not: ${describe(rules, box)}`,
    );
  }
  const total = parts.reduce((sum, p) => sum + p.volume, 0);

  for (let row = 0; row < rows; row++) {
    const at = row * box.length;
    let tries = 0;
    for (;;) {
      let left = stream.uniform() * total;
      let chosen = 0;
      while (chosen < parts.length - 1 && left >= parts[chosen]!.volume) left -= parts[chosen++]!.volume;
      sampleBox(box, parts[chosen]!.box, stream, out, at);
      let covered = 0;
      for (const part of parts) if (contains(part.box, out, at)) covered++;
      if (covered === 1 || stream.int(covered) === 0) break;
      if (++tries === MAX_TRIES) throw new RangeError(`sampleRegion: expected to keep a point, got ${MAX_TRIES} refused for row ${row}`);
    }
  }
}

function contains(box: Box, points: Float32Array, at: number): boolean {
  for (let k = 0; k < box.low.length; k++) if (!(points[at + k]! >= box.low[k]! && points[at + k]! <= box.high[k]!)) return false;
  return true;
}

/**
 * Writes `rows` samples, uniform over `box` without S_f and its margin, by rejection.
 * Shapes: out is [rows, box.length], margin [box.length]. Throws: RangeError where 10,000 points in a row are all inside.
 */
export function sampleOutside(
  rules: readonly CompiledRule[],
  margin: Float32Array,
  box: readonly Span[],
  stream: Stream,
  out: Float32Array,
  rows: number,
): void {
  checkRoom('sampleOutside', box, out, rows);
  const whole = makeBox('sampleOutside', box);
  for (let row = 0; row < rows; row++) {
    let tries = 0;
    do {
      if (tries++ === MAX_TRIES) {
        throw new RangeError(
          `sampleOutside: expected a point outside the region and its margin, got ${MAX_TRIES} inside for row ${row}: ${describe(rules, box)}`,
        );
      }
      sampleBox(box, whole, stream, out, row * box.length);
    } while (inMargin(rules, out, row, box.length, margin));
  }
}

function describe(rules: readonly CompiledRule[], box: readonly Span[]): string {
  const where = rules.map((r) => r.dims.map((d) => `${d.index} in [${d.low}, ${d.high}]`).join(' and ') || 'everywhere').join('; ');
  return `rules ${where || 'none'}; box ${box.map((d) => `[${d.low}, ${d.high}]`).join(' x ')}`;
}
