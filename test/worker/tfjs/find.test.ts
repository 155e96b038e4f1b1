import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { findBinding } from '../../../src/worker/tfjs/find.ts';

/** A package as it lies on the disk; none of it is loaded. */
describe('findBinding(folder)', () => {
  let folder: string;
  const put = (path: string, text = ''): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const addon = 'lib/napi-v8/tfjs_binding.node';
  const note = 'lib/napi-v8/spc.json';
  const library = 'deps/lib/libtensorflow.so.2.9.1';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'spc-find-'));
    put('package.json', '{"version":"4.22.0"}');
  });

  it('takes the word of the note for what was compiled here, whatever the links beside it are called', () => {
    for (const path of [addon, library]) put(path);
    put(note, '{"library":"2.15.1"}');
    expect(findBinding(folder)).toEqual({ version: '4.22.0', library: '2.15.1', locked: true });
  });

  it('reads the version of a regular install off its library, and knows that it has no lock', () => {
    for (const path of [addon, 'deps/lib/libtensorflow.so.2', library]) put(path);
    expect(findBinding(folder)).toEqual({ version: '4.22.0', library: '2.9.1', locked: false });
  });

  it('refuses a package without a binding, and a binding without a library, with the command that brings them', () => {
    const refusal = (what: string): RegExp => new RegExp(`^engine tfjs: expected ${what}.*, found none; npm run tfjs:native brings it`);
    expect(() => findBinding(folder)).toThrow(refusal('the native binding of @tensorflow/tfjs-node'));
    put(addon);
    expect(() => findBinding(folder)).toThrow(refusal('a TensorFlow library beside the binding'));
    put('deps/lib/libtensorflow_framework.so.2');
    expect(() => findBinding(folder)).toThrow(refusal('a TensorFlow library beside the binding'));
  });

  it.each(['', '{"library"', '{"library":2}', 'null'])('refuses the note %j', (text) => {
    for (const path of [addon, library]) put(path);
    put(note, text);
    expect(() => findBinding(folder)).toThrow(
      /^engine tfjs: expected the version of a library in .*spc\.json, got .*; npm run tfjs:native/,
    );
    rmSync(join(folder, note));
    expect(findBinding(folder).locked).toBe(false);
  });
});
