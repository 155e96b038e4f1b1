import type { Engine, Floats, Head, Network, Shape } from '../../src/math/engine.ts';
import type { Case } from './golden.ts';
import type { Cotangents, Loss, Rows } from './losses.ts';

/** Numbers in (−scale, scale) that every machine agrees on; not the project's generator, so that its faults stay its own. */
export function noise(seed: number): (length: number, scale?: number) => Float64Array {
  let state = seed;
  return (length, scale = 1) =>
    Float64Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      return (state / 2 ** 31) * scale;
    });
}

/** A network with random parameters, the same ones for the same shape on every engine. */
export function randomNetwork(engine: Engine, shape: Shape, maxRows: number): Network {
  const network = engine.network(shape, maxRows);
  network.set(noise(1)(network.size, 0.6));
  return network;
}

export function readRows(head: Head, shape: Shape, rows: number): Rows {
  const range = (length: number) => Array.from({ length }, (_, i) => i);
  return {
    z: range(rows).map((r) => range(shape.actions).map((j) => head.logits[r * head.stride + j]!)),
    value: range(rows).map((r) => head.value[r * head.valueStride]!),
    logStd: [...head.logStd],
  };
}

export function writeCotangents(head: Head, { dz, dValue, dLogStd }: Omit<Cotangents, 'loss'>): void {
  dz.forEach((row, r) => {
    for (let j = 0; j < row.length; j++) head.dLogits[r * head.stride + j] = row[j]!;
  });
  dValue.forEach((d, r) => {
    head.dValue[r * head.valueStride] = d;
  });
  dLogStd.forEach((d, j) => {
    head.dLogStd[j] = d;
  });
}

/** Random cotangents on the head of the last `forward`. */
export function randomCotangents(head: Head, shape: Shape, rows: number, scale = 1): void {
  const draw = noise(2);
  writeCotangents(head, {
    dz: Array.from({ length: rows }, () => [...draw(shape.actions, scale)]),
    dValue: [...draw(rows, scale)],
    dLogStd: shape.gaussian ? [...draw(shape.actions, scale)] : [],
  });
}

/** The loss of a recorded case at the network's parameters; writes its cotangents. */
export function evaluate(network: Network, data: Case, loss: Loss): number {
  const rows = data.obs.length;
  const head = network.forward(Float64Array.from(data.obs.flat()), rows);
  const result = loss(data, readRows(head, network.shape, rows));
  writeCotangents(head, result);
  return result.loss;
}

/** A vector of `network` with these numbers. */
export function vectorOf(network: Network, values: ArrayLike<number>): Floats {
  const vector = network.vector(values.length);
  vector.set(values);
  return vector;
}

/** max |got − want| / max |want|: one scale for the whole array, so that entries near 0 do not decide. */
export function distance(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  let scale = 0;
  for (let i = 0; i < want.length; i++) {
    const error = Math.abs(got[i]! - want[i]!);
    worst = error <= worst ? worst : error; // keeps NaN
    scale = Math.max(scale, Math.abs(want[i]!));
  }
  return scale === 0 ? worst : worst / scale;
}
