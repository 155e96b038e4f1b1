import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { noServer, server, startServer } from '../bus/nats/servers.ts';
import { type Left, scratch, sleep, spc } from './spc.ts';

const answers = async (...args: string[]) => says(await spc(args));
const really = async (...args: string[]) => says(await spc(args, { jobs: 'real' }));
const says = ({ code, stderr }: Left): [code: number | null, said: string] => {
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

  it.each([['bla'], ['0s'], ['']])('worker and run refuse --wait %s', async (wait) => {
    for (const command of [['worker'], scratch().run]) {
      expect(await answers(...command, '--nats', '127.0.0.1', '--wait', wait)).toEqual([2, expect.stringContaining('--wait: expected ')]);
    }
  });
});

describe('an address without a broker', () => {
  const servers: Server[] = [];
  const listen = async (talk: (socket: Socket) => void): Promise<string> => {
    const made = createServer((socket) => talk(socket.on('error', () => {})));
    servers.push(made);
    await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
    return `nats://127.0.0.1:${(made.address() as AddressInfo).port}`;
  };
  afterAll(() => servers.map((one) => one.close()));

  it.each<[string, (socket: Socket) => void, string]>([
    ['that takes the connection and says nothing', () => {}, 'no answer'],
    ['that hangs up', (socket) => socket.end(), 'it hung up'],
    ['of another service', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'), 'it is another service'],
  ])('%s: worker and run end, and say which and what to do', async (_, talk, why) => {
    const url = await listen(talk);
    const wait = ['--nats', url, '--wait', '0.7s'];
    const ended = await Promise.all([answers('worker', ...wait), answers(...scratch().run, ...wait)]);
    const said = `${url}: expected a broker, found none within 1 s, without --creds (${why}); spc serve starts one, and --nats or --creds says where it is; --wait 10m waits longer`;
    expect(ended).toEqual([
      [3, said],
      [3, said],
    ]);
  });

  it('where nobody listens, or nobody answers: what asks something ends within seconds, and names the address and the remedy', async () => {
    const [gone, silent] = [await listen(() => {}), await listen(() => {})];
    await new Promise((resolve) => servers.at(-2)?.close(resolve));
    const asked = [['status'], ['watch'], ['workers'], ['pause', 'quick'], ['resume', 'quick'], ['cancel', 'quick'], ['logs', 'abcdefgh']];
    const start = performance.now();
    const ended = await Promise.all(
      asked.flatMap((command) => [gone, silent].map(async (url) => ({ url, command, ended: await really(...command, '--nats', url) }))),
    );
    expect(performance.now() - start).toBeLessThan(25_000); // not for ever; how long is measured elsewhere
    for (const {
      url,
      command,
      ended: [code, said],
    } of ended) {
      const why = url === gone ? 'connection refused' : 'no answer';
      const last = `${url}: expected a broker, found none within 5 s, without --creds (${why}); spc serve starts one, and --nats or --creds says where it is`;
      expect([command, code, said.split('\n').at(-1)]).toEqual([command, 3, last]);
    }
  }, 60_000);

  it.skipIf(noServer)('of a nats-server without JetStream: an error that says so, and no wait', async () => {
    const port = Number(new URL(await listen(() => {})).port);
    await new Promise((resolve) => servers.at(-1)?.close(resolve));
    const child = spawn(typeof server === 'string' ? '' : server.path, ['-a', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
    try {
      const url = `nats://127.0.0.1:${port}`;
      const said = `${url}: expected a broker with JetStream, got a nats-server without it; start it with -js, or take spc serve`;
      for (const command of [['status'], ['worker'], scratch().run]) {
        const [code, told] = await really(...command, '--nats', url);
        expect([code, told.split('\n').at(-1)]).toEqual([1, said]);
      }
    } finally {
      child.kill('SIGKILL');
    }
  });

  it.skipIf(noServer)('of a broker with too little room: run says how much it takes, and ends', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'spc-little-'));
    const config = join(folder, 'little.conf');
    writeFileSync(config, `listen: "127.0.0.1:-1"\njetstream { store_dir: "${folder}", max_file_store: 40MB }\n`);
    const { url } = await startServer({ config });
    const ended = await Promise.race([really(...scratch().run, '--nats', url), sleep(20_000)]);
    expect(ended).toEqual([1, expect.stringMatching(/^broker: expected room for at least 73 MB of queues and files, got less; /)]);
  });
});
