import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { numericsDiff } from '../../src/contract/numerics.ts';
import { numerics } from '../../src/worker/numerics.ts';

describe('numerics(engineVersion)', () => {
  let root: string;
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'spc-'));
    for (const path of ['math/a.js', 'math/engines/b.js', 'envs/c.js', 'ppo/d.js', 'worker/jobs.js', 'correction/e.js', 'cli/f.js'])
      write(path, path);
  });

  it('is the same for the same files, wherever they lie', () => {
    const before = numerics('v1', [], root);
    expect(numerics('v1', [], root)).toEqual(before);
    expect(Object.keys(before.files)).toEqual([
      'envs/c.js',
      'math/a.js',
      'math/engines/b.js',
      'ppo/d.js',
      'worker/jobs.js',
      'correction/e.js',
    ]);
  });

  it('does not depend on code that computes nothing', () => {
    const before = numerics('v1', [], root);
    write('cli/f.js', 'other');
    expect(numerics('v1', [], root)).toEqual(before);
  });

  it('keeps the digest of bases when only what corrects changed, and says what changed', () => {
    const before = numerics('v1', [], root);
    write('correction/e.js', 'other');
    write('audit/g.js', 'new');
    const after = numerics('v1', [], root);
    expect(after.base).toBe(before.base);
    expect(after.trial).not.toBe(before.trial);
    expect(numericsDiff(before, after)).toEqual(['added: audit/g.js', 'changed: correction/e.js']);
  });

  it('changes all when what trains changed, or the engine', () => {
    const before = numerics('v1', [], root);
    const engine = numerics('v2', [], root);
    expect([engine.base === before.base, engine.trial === before.trial]).toEqual([false, false]);
    expect(numericsDiff(before, engine)).toEqual(['engine: v1 -> v2']);
    write('math/engines/b.js', 'other');
    expect(numerics('v1', [], root).base).not.toBe(before.base);
  });

  it('refuses to speak of sources', () => {
    expect(() => numerics('v1', [], mkdtempSync(join(tmpdir(), 'spc-')))).toThrow(/expected the compiled project.*build first/);
  });
});
