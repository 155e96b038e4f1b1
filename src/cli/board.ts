import { type Seen, SILENT_MS, type SweepCard, type WorkerCard } from '../contract/cards.ts';
import { visible } from '../contract/visible.ts';
import { duration, roughly } from './progress.ts';
import { many, wrap } from './text.ts';

/** What a broker knows at one moment. */
export interface Board {
  readonly url: string;
  readonly server: string;
  readonly sweeps: readonly SweepCard[];
  readonly workers: readonly Seen<WorkerCard>[];
}

export interface Frame {
  readonly columns: number;
  /** What does not fit is counted in a last line; unlimited when absent. */
  readonly rows?: number;
}

/** Of the bar, where there is room for one. */
const BAR = 10;
const WIDE = 100;

/** The board as text: sweeps, workers and what they do, at the width that there is. */
export function printBoard(board: Board, { columns, rows = Number.POSITIVE_INFINITY }: Frame): string {
  const slots = board.workers.reduce((sum, worker) => sum + worker.slots, 0);
  const lines = [
    `${board.url}, nats-server ${board.server}: ${many(board.sweeps.length, 'sweep')}, ${many(board.workers.length, 'worker')}, ${many(slots, 'slot')}`,
    '',
    ...grid(
      SWEEPS,
      board.sweeps.map((sweep) => sweepLine(sweep, columns >= WIDE)),
      columns,
    ),
    ...(board.sweeps.length === 0 ? ['no sweep is being run; spc run FILE --nats ... runs one'] : []),
    '',
    ...workersTable(board, columns),
    ...(board.workers.length === 0 ? ['no worker is there; spc worker --nats ... joins'] : []),
    ...board.workers.flatMap(({ id, state, reason }) =>
      state === 'held' || state === 'drained'
        ? ['', ...wrap(`${id} is ${state} (${reason}); spc workers release ${id} takes it back`, columns)]
        : [],
    ),
  ].map((line) => cut(visible(line.trimEnd()), columns)); // cards are what anybody with a key writes
  if (lines.length <= rows) return lines.join('\n');
  const shown = lines.slice(0, rows - 1);
  return [...shown, `... ${many(lines.length - shown.length, 'more line')}`].join('\n');
}

const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`);

interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}
const left = (title: string): Column => ({ title, align: 'left' });
const right = (title: string): Column => ({ title, align: 'right' });

const SWEEPS = [
  ...[left('SWEEP'), left('STATE'), right('DONE'), right('TRIALS'), right('BASES'), right('FAILED')],
  ...[right('QUEUED'), right('PER MIN'), right('LEFT')],
];
const WORKERS = [left('WORKER'), left('STATE'), right('BUSY'), right('DONE'), right('FAILED')];

function sweepLine({ name, state, wanted, done, failed, queued, perMinute, left: rest }: SweepCard, isWide: boolean): string[] {
  const all = wanted.trial + wanted.base;
  const share = all === 0 ? 0 : (done.trial + done.base) / all;
  const bar = isWide ? `${'#'.repeat(Math.floor(share * BAR)).padEnd(BAR, '.')} ` : '';
  return [
    ...[name, state, `${bar}${String(Math.floor(100 * share)).padStart(3)} %`, `${done.trial}/${wanted.trial}`],
    ...[`${done.base}/${wanted.base}`, String(failed.trial + failed.base), String(queued)],
    ...[
      perMinute === undefined ? '' : perMinute.toFixed(perMinute < 10 ? 1 : 0),
      rest ? `${rest.atLeast ? '> ' : ''}${roughly(rest.ms)}` : '',
    ],
  ];
}

/** A line per worker, and below it one for each job that it computes. */
function workersTable({ workers, sweeps }: Board, columns: number): string[] {
  const [head = '', ...lines] = grid(WORKERS, workers.map(workerLine), columns);
  if (workers.length === 0) return [];
  return [head, ...workers.flatMap((worker, i) => [lines[i] ?? '', ...worker.running.map((job) => `  ${jobLine(job, sweeps)}`)])];
}

function workerLine({ id, label, state, silentMs, slots, running, done, failed }: Seen<WorkerCard>): string[] {
  const seen = silentMs > SILENT_MS ? `silent for ${Math.round(silentMs / 1000)} s` : state;
  return [label === null ? id : `${id} (${label})`, seen, `${running.length}/${slots}`, String(done), String(failed)];
}

function jobLine({ sweep: key, kind, id, share, seconds, attempt }: WorkerCard['running'][number], sweeps: readonly SweepCard[]): string {
  const sweep = sweeps.find((card) => card.key === key);
  const name = sweep?.names?.find((one) => one.id === id)?.name;
  const again = attempt > 1 ? `, attempt ${attempt}` : '';
  const what = name === undefined ? `${kind} ${id}` : `${kind} ${name}`;
  return `${String(Math.floor(100 * share)).padStart(3)} %  ${duration(1000 * seconds)}${again}  ${what} of ${sweep?.name ?? key}`;
}

/** Columns as wide as they must be; the first gives way when a line would not fit. */
function grid(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string[] {
  if (rows.length === 0) return [];
  const all = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, c) => Math.max(...all.map((row) => (row[c] ?? '').length)));
  const last = widths.length - 1;
  const rest = widths.slice(1, last).reduce((sum, w) => sum + w + 2, 0) + Math.min(widths[last] ?? 0, width / 4) + 2;
  widths[0] = Math.min(widths[0] ?? 0, Math.max(8, Math.floor(width - rest)));
  const cell = (text: string, c: number): string => {
    const w = widths[c] ?? 0;
    const fits = c === last ? text : cut(text, w);
    return columns[c]?.align === 'right' ? fits.padStart(w) : c === last ? fits : fits.padEnd(w);
  };
  return all.map((row) => row.map(cell).join('  '));
}
