import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { formatOf } from '../../src/coordinator/formats.ts';
import { descriptorOf, whatIsThere } from '../../src/coordinator/there.ts';
import { encodeTensors } from '../../src/math/safetensors.ts';

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const u16 = (n: number): string => String.fromCharCode(n & 255, n >> 8);

/** A zip archive without compression, as its definition says; its checksums are zero, for nobody unpacks it. */
function zip(names: readonly string[], content = 'x'): Uint8Array {
  const sizes = u16(content.length) + u16(0);
  const offsets = names.map((_, i) => names.slice(0, i).reduce((sum, name) => sum + 30 + name.length + content.length, 0));
  const common = (name: string): string => `${u16(20)}${'\0'.repeat(12)}${sizes}${sizes}${u16(name.length)}${u16(0)}`;
  const files = names.map((name) => `PK\x03\x04${common(name)}${name}${content}`).join('');
  const list = names
    .map((name, i) => `PK\x01\x02${u16(20)}${common(name)}${'\0'.repeat(10)}${u16(offsets[i]! % 65536)}${u16(offsets[i]! >> 16)}${name}`)
    .join('');
  return bytes(`${files}${list}PK\x05\x06${'\0'.repeat(18)}`);
}

describe('formatOf(head)', () => {
  const SB3 = ['data', 'pytorch_variables.pth', 'policy.pth', '_stable_baselines3_version'];
  it.each<[string, Uint8Array]>([
    ['an empty file', bytes('')],
    ['zero bytes and nothing else', new Uint8Array(20)],
    ['a safetensors file', encodeTensors({ w: { shape: [1], data: Float32Array.of(1) } }, {})],
    ['a zip archive with a model of Stable-Baselines3 in it', zip(SB3)],
    ['a PyTorch file (.pt, .pth)', zip(['model/data.pkl', 'model/byteorder', 'model/data/0'])],
    ['a numpy archive (.npz)', zip(['w.npy', 'b.npy'])],
    ['a zip archive', zip(['hello.txt'])],
    ['a zip archive', zip([])],
    ['a numpy array (.npy)', bytes('\x93NUMPY\x01\0v\0{')],
    ['a Python pickle', bytes('\x80\x04\x95\x0b\0\0\0\0\0\0\0}')],
    ['a Python pickle', bytes('(dp0\nVa\np1\nI1\ns.')],
    ['a PyTorch file in the format before PyTorch 1.6', bytes('\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.')],
    ['an ONNX model', bytes('\x08\x07\x12\x07pytorch')],
    ['an ONNX model', bytes('\x08\x0e:3\n\f\n\x01x')],
    ['an HDF5 file, as Keras and h5py write it', bytes('\x89HDF\r\n\x1a\n\0')],
    ['a gzip archive', gzipSync('x')],
    ['a PNG picture', bytes('\x89PNG\r\n\x1a\n\0\0\0\rIHDR')],
    ['a PDF document', bytes('%PDF-1.4\n%\xe2\xe3')],
    ['a sweep file', bytes('version: 1\nname: x\naxes:\n')],
    ['a policy as JSON', bytes('{\n  "format": "spc-policy-json-1",')],
    ['JSON', bytes('{"id":1}\n{"id":2}\n')],
    ['a pointer of Git LFS, not the file it stands for', bytes('version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 1\n')],
    ['a web page', bytes('<!DOCTYPE html>\n<html>')],
    ['text', bytes('# hello\n')],
    ['text', Uint8Array.from([0x61, 0xe2, 0x82])], // the last character was cut
    ['text that is not UTF-8', bytes('f\xfcr')],
    ['text in UTF-16', bytes('\xff\xfeh\0i\0')],
    ['binary data of an unknown kind (it begins with 01 c8 03)', bytes('\x01\xc8\x03')],
  ])('knows %s', (what, head) => {
    expect(formatOf(head).what).toBe(what);
  });

  it('takes a safetensors file for one whatever signature its length looks like', () => {
    for (const signature of ['\x1f\x8b', '\xff\xd8\xff', 'BZh', 'GIF8'])
      expect(formatOf(bytes(`${signature.slice(0, 3).padEnd(8, '\0')}{"w":`)).name).toBe('safetensors');
  });
});

describe('whatIsThere(path)', () => {
  const root = mkdtempSync(join(tmpdir(), 'spc-'));
  const at = (name: string): string => join(root, name);
  it('tells files, folders, pipes, devices and nothing apart, and opens no pipe', () => {
    mkdirSync(at('folder'));
    mkdirSync(at('results'));
    writeFileSync(at('results/sweep.yaml'), '');
    execFileSync('mkfifo', [at('pipe')]);
    symlinkSync('nowhere', at('link'));
    symlinkSync('loop', at('loop'));
    writeFileSync(at('policy.zip'), zip(['policy.pth']));
    expect(whatIsThere(at('policy.zip'))).toMatchObject({ kind: 'file', format: 'model', sizeBytes: 119 });
    expect(
      ['folder', 'results', 'pipe', 'link', 'loop', 'none', 'policy.zip/x', 'x'.repeat(300), 'a\0b'].map((name) => whatIsThere(at(name))),
    ).toEqual([
      { kind: 'folder', what: 'a folder', remedy: 'name a file in it' },
      { kind: 'folder', what: 'a results folder', remedy: 'name a file in it' },
      { kind: 'pipe', what: 'a pipe' },
      { kind: 'nothing', what: 'nothing: a link to what is not there' },
      { kind: 'unreadable', what: 'what could not be read (ELOOP)' },
      { kind: 'nothing', what: 'nothing' },
      { kind: 'nothing', what: 'nothing: a part of that path is a file' },
      { kind: 'nothing', what: 'nothing: no file can have so long a name' },
      { kind: 'unreadable', what: 'what could not be read (ERR_INVALID_ARG_VALUE)' },
    ]);
    expect(whatIsThere('/dev/zero')).toEqual({ kind: 'device', what: 'a device' });
    expect(whatIsThere('')).toEqual({ kind: 'nothing', what: 'nothing' });
  });

  it('finds the names of a long archive at its end', () => {
    writeFileSync(at('long.zip'), zip(['data', 'policy.pth'], 'y'.repeat(60_000))); // the second name stands behind the first 64 KiB
    const long = zip(['a', 'b', 'c', 'policy.pth'], 'y'.repeat(60_000));
    writeFileSync(at('longer.zip'), long);
    expect(formatOf(long.subarray(0, 65_536)).what).toBe('a zip archive');
    expect(whatIsThere(at('longer.zip')).what).toBe('a zip archive with a model of Stable-Baselines3 in it');
  });
});

describe('descriptorOf(path)', () => {
  it('knows the names of what is open, and no others', () => {
    const names = [
      '/dev/stdin',
      '/dev/stdout',
      '/dev/stderr',
      '/dev/fd/63',
      '/proc/self/fd/0',
      '/dev/fd/x',
      '/dev/full',
      'stdin',
      '',
      'constructor',
    ];
    expect(names.map(descriptorOf)).toEqual([0, 1, 2, 63, 0, ...names.slice(5).map(() => undefined)]);
  });
});
