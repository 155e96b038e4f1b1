import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HostError } from '../../contract/host.ts';

export interface ServerOptions {
  /** Path of a nats-server. */
  readonly binary: string;
  /** Where its streams live; a folder of its own, gone when it stops, unless it is given. */
  readonly store?: string;
  /** A free one unless it is given. */
  readonly port?: number;
  /** A configuration that says all this itself, and more: for a server that others reach. */
  readonly config?: string;
}

const READY_MS = 10_000;
/** Old servers with a full disk ignore SIGTERM. */
const OBEY_MS = 5_000;
const LOG_CHARS = 4_000;

/** Ends a process ($0) when its parent's end of the pipe closes, however the parent ended. */
const WATCH = 'cat >/dev/null; kill "$0"; sleep 5; kill -9 "$0"';

/** A nats-server with JetStream, private on a loopback port unless its configuration says otherwise: a child process that ends with its parent. */
export class NatsServer {
  readonly port: number;
  readonly store: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #scratch: string;

  private constructor(child: ChildProcess, ended: Promise<void>, place: { port: number; store: string; scratch: string }) {
    this.#child = child;
    this.#ended = ended;
    this.port = place.port;
    this.store = place.store;
    this.#scratch = place.scratch;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when it takes connections. */
  static async start({ binary, store, port = -1, config }: ServerOptions): Promise<NatsServer> {
    const scratch = await mkdtemp(join(tmpdir(), 'spc-nats-'));
    const own = store ?? join(scratch, 'store');
    await mkdir(own, { recursive: true });
    const args = config === undefined ? ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', own] : ['-c', config];
    const child = spawn(binary, [...args, '--ports_file_dir', scratch], { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log = `${log}${text}`.slice(-LOG_CHARS);
    });
    const ended = new Promise<void>((resolve) => {
      child.once('error', (error) => {
        log += error.message;
        resolve();
      });
      child.once('exit', () => resolve());
    });
    endWithUs(child, ended);
    let over = false;
    void ended.then(() => {
      over = true;
    });
    for (const deadline = Date.now() + READY_MS; !over && Date.now() < deadline; await sleep(10)) {
      const found = await portOf(join(scratch, `nats-server_${child.pid}.ports`));
      if (found !== null) return new NatsServer(child, ended, { port: found, store: own, scratch });
    }
    child.kill('SIGKILL');
    await ended;
    await rm(scratch, { recursive: true, force: true });
    throw new HostError(`${binary}: expected it to take connections within ${READY_MS / 1000} s; it said:\n${log.trim()}`);
  }

  /** Resolves when it ended, whoever ended it. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** Ends it and removes what is its own. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const force = setTimeout(() => this.#child.kill('SIGKILL'), OBEY_MS);
    await this.#ended;
    clearTimeout(force);
    await rm(this.#scratch, { recursive: true, force: true, maxRetries: 5 }); // another server may be at work in its store
  }

  /** Reads its configuration again. Who is no longer in it is put out. */
  reload(): void {
    this.#child.kill('SIGHUP');
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

/** The server writes the file when it listens: `{"nats":["nats://127.0.0.1:41517"]}`, with TLS `tls://`. */
async function portOf(file: string): Promise<number | null> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const port = /(?:nats|tls):\/\/[^"]*:(\d+)/.exec(text)?.[1];
  return port === undefined ? null : Number(port);
}

/** A parent that is killed cannot stop anything; a shell that sees its pipe close can. Windows has none, and there the server outlives a killed parent. */
function endWithUs(child: ChildProcess, ended: Promise<void>): void {
  if (process.platform === 'win32' || child.pid === undefined) return;
  const watch = spawn('/bin/sh', ['-c', WATCH, String(child.pid)], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  watch.on('error', () => {});
  watch.unref();
  (watch.stdin as unknown as { unref?(): void })?.unref?.();
  void ended.then(() => {
    watch.kill('SIGKILL'); // before its pipe closes: the number may be another process's by then
    watch.stdin?.destroy();
  });
}
