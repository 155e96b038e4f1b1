import { createServer, type Server, type Socket, connect as tcp } from 'node:net';
import { type Frame, Frames } from './frames.ts';

/** How often a message of a worker is treated so; chances from 0 to 1. */
export interface Noise {
  readonly dropAck: number;
  readonly duplicate: number;
  /** From 0 up to 1. */
  readonly chance: () => number;
}

export interface WireOptions {
  /** Asked for every connection: a server may come back elsewhere. */
  readonly port: () => number;
  readonly noise?: Noise;
  readonly fromWorker?: (frame: Frame) => void;
  readonly fromServer?: (frame: Frame) => void;
}

export interface Noised {
  droppedAcks: number;
  duplicates: number;
}

const isAck = ({ subject }: Frame): boolean => subject.startsWith('$JS.ACK.');
const isResult = ({ subject }: Frame): boolean => subject.startsWith('lab.result.');

/** What stands between one worker and the server: a wire that can be cut, swallows some acknowledgements, and says some things twice. */
export class Wire {
  readonly noised: Noised = { droppedAcks: 0, duplicates: 0 };
  readonly #options: WireOptions;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [worker: Socket, server: Socket]>();
  #frozen = false;
  #thaw: (() => void)[] = [];

  private constructor(options: WireOptions) {
    this.#options = options;
    this.#server = createServer((worker) => {
      if (this.#frozen) this.#thaw.push(() => this.#join(worker));
      else this.#join(worker);
    });
  }

  static async start(options: WireOptions): Promise<Wire> {
    const wire = new Wire(options);
    await new Promise<void>((resolve) => wire.#server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('wire: expected a port');
    return `nats://127.0.0.1:${address.port}`;
  }

  /** A blackhole: nothing passes, and nobody is told. */
  freeze(): void {
    this.#frozen = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** What was under way arrives late, as TCP has it; or, with `cut`, never: the way between has forgotten the connections. */
  thaw(cut: boolean): void {
    this.#frozen = false;
    for (const pair of this.#pairs) for (const socket of pair) cut ? socket.destroy() : socket.resume();
    for (const join of this.#thaw.splice(0)) join();
  }

  async close(): Promise<void> {
    this.thaw(true);
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(worker: Socket): void {
    const server = tcp(this.#options.port(), '127.0.0.1');
    const pair = [worker, server] as const;
    this.#pairs.add(pair);
    const end = (): void => {
      this.#pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    const [up, down] = [new Frames(), new Frames()];
    worker.on('data', (chunk) => {
      for (const frame of up.push(chunk)) for (const bytes of this.#noisy(frame)) server.write(bytes);
    });
    server.on('data', (chunk) => {
      for (const frame of down.push(chunk)) this.#options.fromServer?.(frame);
      worker.write(chunk);
    });
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', end).on('close', end);
    }
  }

  /** As often as it is to be said. */
  #noisy(frame: Frame): Buffer[] {
    const { noise, fromWorker } = this.#options;
    fromWorker?.(frame);
    if (!noise || !(isAck(frame) || isResult(frame))) return [frame.bytes];
    if (isAck(frame) && noise.chance() < noise.dropAck) {
      this.noised.droppedAcks++;
      return [];
    }
    if (noise.chance() >= noise.duplicate) return [frame.bytes];
    this.noised.duplicates++;
    return [frame.bytes, frame.bytes];
  }
}
