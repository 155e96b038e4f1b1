/**
 * SIMD128 twins of the plain definitions: ../engines/reference.ts (network), ../adam.ts, ../gae.ts, ../vector.ts.
 * AssemblyScript, non-relaxed, no heap: every operand is a byte address in a memory that ../engines/wasm.ts lays out.
 *
 * Layout: float32, row-major; `step` is the distance of two rows in bytes. Matrices that `multiply` writes have rows of whole
 * vectors (4 numbers each), with 0 in the padding columns; what it reads may be unpadded and unaligned.
 * Denormals: wasm cannot flush them, and they are 20 to 100 times slower than numbers. So cotangents, moments and squares
 * below 1e-17 become exactly 0. Comparisons are turned so that NaN is kept: a run that diverged must be seen.
 */
export { backwardHidden, backwardWeights, flushAll, forwardTanh, linear, sampleNorms } from './network';
export { adam, axpy, copyRows, dot, gae, gather, mul, square, transpose } from './vectors';
