import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandModule } from 'yargs';
import type { NatsLink } from '../bus/nats/link.ts';
import { NatsRoll } from '../bus/nats/roll.ts';
import { type Board, printBoard } from './board.ts';
import { atBroker, type BrokerArguments, brokerOptions, connectBroker } from './broker.ts';
import { WIDTH } from './text.ts';

interface StatusArguments extends BrokerArguments {
  readonly json: boolean;
}

const EVERY_MS = 1_000;

/** Reads, never writes. */
async function readBoard(link: NatsLink): Promise<Board> {
  const roll = new NatsRoll(link, { mayMake: false });
  const [sweeps, workers] = [await roll.sweeps(), await roll.workers()];
  return { url: link.nc.getServer(), server: link.nc.info?.version ?? '', sweeps, workers };
}

export async function status({ json, ...broker }: StatusArguments): Promise<void> {
  const board = await atBroker(broker, 'viewer', readBoard);
  const text = json ? JSON.stringify({ version: 1, ...board }, null, 2) : printBoard(board, { columns: process.stdout.columns || WIDTH });
  process.stdout.write(`${text}\n`);
}

/** Redraws the whole screen until Ctrl-C or q; on no terminal it is one picture, as `status` gives it. */
async function watch(broker: BrokerArguments): Promise<void> {
  const { stdin, stdout } = process;
  if (!stdout.isTTY) return status({ ...broker, json: false });
  let trouble = '';
  const told = (message: string): void => {
    trouble = message;
  };
  const link = await connectBroker({ ...broker, name: 'viewer', warn: told });
  const leaving = new AbortController();
  const leave = (): void => leaving.abort();
  process.once('SIGINT', leave).once('SIGTERM', leave).once('SIGHUP', leave);
  if (stdin.isTTY) stdin.setRawMode(true).resume();
  stdin.on('data', (keys) => LEAVE.some((key) => String(keys).includes(key)) && leave());
  stdout.write(ALTERNATE);
  const draw = async (): Promise<void> => {
    const frame = { columns: stdout.columns, rows: stdout.rows - 2 };
    const picture = await readBoard(link).then(
      (board) => printBoard(board, frame),
      (error: Error) => `the broker does not answer (${error.message})`,
    );
    const foot = `${trouble === '' ? '' : `${trouble}; `}${new Date().toTimeString().slice(0, 8)}; q leaves`;
    const lines = [...picture.split('\n'), '', foot.slice(0, stdout.columns)];
    stdout.write(`${HOME}${lines.map((line) => `${line}${REST_OF_LINE}`).join('\n')}${BELOW}`);
  };
  try {
    while (!leaving.signal.aborted) {
      await draw();
      await sleep(EVERY_MS, undefined, { signal: leaving.signal }).catch(() => {});
    }
  } finally {
    stdout.write(NORMAL);
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.pause();
    await link.close();
  }
}

/** q, Ctrl-C, Escape: a raw terminal sends no signals. */
const LEAVE = ['q', '\x03', '\x1b'];
const [ALTERNATE, NORMAL] = ['\x1b[?1049h\x1b[?25l', '\x1b[?25h\x1b[?1049l'];
const [HOME, REST_OF_LINE, BELOW] = ['\x1b[H', '\x1b[K', '\x1b[J'];

/** `spc status`. */
export const statusCommand: CommandModule<object, StatusArguments> = {
  command: 'status',
  describe: 'what a broker knows: sweeps, workers, and what they do now',
  builder: (yargs) =>
    yargs.options(brokerOptions).option('json', { type: 'boolean', default: false, describe: 'for programs; all cards as they are' }),
  handler: status,
};

/** `spc watch`. */
export const watchCommand: CommandModule<object, BrokerArguments> = {
  command: 'watch',
  describe: 'the same on the whole screen, every second; q leaves',
  builder: (yargs) => yargs.options(brokerOptions),
  handler: watch,
};
