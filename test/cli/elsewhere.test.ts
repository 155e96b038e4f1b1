import { describe, expect, it } from 'vitest';
import { elsewhere } from '../../src/cli/elsewhere.ts';

const here = { cpu: 'Loom', node: 'v20.20.2' };
const abacus = { cpu: 'Abacus', node: 'v20.20.2' };
const newer = { cpu: 'Loom', node: 'v22.1.0' };

describe('elsewhere(engine, made, here)', () => {
  it.each(['wasm', 'reference'] as const)('is null for %s: its bytes are the same anywhere', (engine) => {
    expect([elsewhere(engine, abacus, here), elsewhere(engine, newer, here)]).toEqual([null, null]);
  });

  it.each(['tfjs', 'tfjs-cpu'] as const)('is null for %s where it was made: there a difference is a difference', (engine) => {
    expect(elsewhere(engine, here, here)).toBeNull();
  });

  it('names both processors', () => {
    expect(elsewhere('tfjs', abacus, here)).toBe("made on Abacus, this is Loom: TensorFlow's bits are promised on one processor only");
  });

  it('names both versions of Node for tfjs-cpu, whose exp and tanh are those of Node; the native library has its own', () => {
    expect(elsewhere('tfjs-cpu', newer, here)).toBe(
      "made on Loom with Node v22.1.0, this is Loom with Node v20.20.2: TensorFlow's bits are promised on one processor and one version of Node only",
    );
    expect(elsewhere('tfjs', newer, here)).toBeNull();
  });

  it('takes no excuse from a machine of which nothing is on record', () => {
    expect(elsewhere('tfjs', undefined, here)).toBeNull();
    expect(elsewhere('tfjs', { ...abacus, cpu: '' }, here)).toBeNull();
    expect(elsewhere('tfjs', abacus, { ...here, cpu: 'unknown' })).toBeNull();
  });
});
