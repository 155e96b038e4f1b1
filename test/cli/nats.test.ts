import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { scratch, spc } from './spc.ts';

const answers = async (...args: string[]) => {
  const { code, stderr } = await spc(args);
  return [code, stderr.trim()];
};

describe('--nats', () => {
  it.each([
    [
      'nats://10.0.0.7:4222',
      'expected --creds FILE as well for 10.0.0.7, which is another machine; spc serve --listen makes one, docs/machines.md tells how',
    ],
    ['tls://127.0.0.1', 'expected --creds FILE as well for TLS; spc serve --listen makes one, docs/machines.md tells how'],
    ['http://127.0.0.1', 'expected nats:// or tls://, got http://127.0.0.1'],
    ['nats://', 'expected an address such as nats://127.0.0.1:4222, got nats://'],
  ])('%s is refused', async (url, why) => {
    expect(await answers('worker', '--nats', url)).toEqual([2, `--nats: ${why}`]);
  });

  it('worker refuses a number of slots that is none', async () => {
    expect(await answers('worker', '--nats', '127.0.0.1', '--slots', '0')).toEqual([
      2,
      '--slots: expected a whole number from 1 on, got 0',
    ]);
  });

  it.each([
    ['wsam', 'wsam; did you mean wasm?'],
    ['wasm,', 'nothing; there are: wasm, reference, tfjs, tfjs-cpu'],
  ])('worker refuses --engine %s', async (engine, got) => {
    expect(await answers('worker', '--nats', '127.0.0.1', '--engine', engine)).toEqual([
      2,
      `--engine: expected the engines of a sweep, got ${got}`,
    ]);
  });

  it('run refuses it before it writes anything', async () => {
    const sweep = scratch();
    expect((await answers(...sweep.run, '--nats', 'tls://127.0.0.1'))[0]).toBe(2);
    expect(existsSync(sweep.results)).toBe(false);
  });
});
