import type { CommandModule } from 'yargs';
import type { NatsLink } from '../bus/nats/link.ts';
import { NatsRoll } from '../bus/nats/roll.ts';
import { type Board, printBoard } from './board.ts';
import { type BrokerArguments, brokerOptions, connectBroker } from './broker.ts';
import { WIDTH } from './text.ts';

interface StatusArguments extends BrokerArguments {
  readonly json: boolean;
}

const EVERY_MS = 1_000;

/** Reads, never writes. */
export async function readBoard(link: NatsLink): Promise<Board> {
  const roll = new NatsRoll(link, { mayMake: false });
  const [sweeps, workers] = [await roll.sweeps(), await roll.workers()];
  return { url: link.nc.getServer(), server: link.nc.info?.version ?? '', sweeps, workers };
}

async function status({ json, ...broker }: StatusArguments): Promise<void> {
  const link = await connectBroker({ ...broker, name: 'viewer', warn });
  try {
    const board = await readBoard(link);
    process.stdout.write(
      `${json ? JSON.stringify({ version: 1, ...board }, null, 2) : printBoard(board, { columns: process.stdout.columns || WIDTH })}\n`,
    );
  } finally {
    await link.close();
  }
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
  let leave: () => void = () => {};
  const left = new Promise<void>((resolve) => {
    leave = resolve;
  });
  process.once('SIGINT', leave).once('SIGTERM', leave);
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
    let gone = false;
    void left.then(() => {
      gone = true;
    });
    while (!gone) {
      await draw();
      await Promise.race([left, new Promise((resolve) => setTimeout(resolve, EVERY_MS))]);
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
const warn = (message: string): void => void process.stderr.write(`${message}\n`);

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
