import type { SweepCard, WorkerCard } from '../contract/cards.ts';
import { duration } from './progress.ts';
import { many, wrap } from './text.ts';

/** What a broker knows at one moment. */
export interface Board {
  readonly url: string;
  readonly server: string;
  readonly sweeps: readonly SweepCard[];
  readonly workers: readonly WorkerCard[];
}

export interface Frame {
  readonly columns: number;
  /** What does not fit is counted in a last line; unlimited when absent. */
  readonly rows?: number;
}

const BAR = 20;

/** The board as text: sweeps, workers and what they do, at the width that there is. */
export function printBoard(board: Board, { columns, rows = Number.POSITIVE_INFINITY }: Frame): string {
  const slots = board.workers.reduce((sum, worker) => sum + worker.slots, 0);
  const lines = [
    `${board.url}, nats-server ${board.server}: ${many(board.sweeps.length, 'sweep')}, ${many(board.workers.length, 'worker')}, ${many(slots, 'slot')}`,
    '',
    ...grid(SWEEPS, board.sweeps.map(sweepLine), columns),
    ...(board.sweeps.length === 0 ? ['no sweep is being run; spc run FILE --nats ... runs one'] : []),
    '',
    ...grid(
      WORKERS,
      board.workers.flatMap((worker) => workerLines(worker, board.sweeps)),
      columns,
    ),
    ...(board.workers.length === 0 ? ['no worker is there; spc worker --nats ... joins'] : []),
    ...board.workers.flatMap(({ id, state, reason }) =>
      state === 'held' ? ['', ...wrap(`${id} is held (${reason}); spc workers release ${id} takes it back`, columns)] : [],
    ),
  ].map((line) => cut(line.trimEnd(), columns));
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

const SWEEPS = [left('SWEEP'), left('STATE'), left('DONE'), right('TRIALS'), right('BASES'), right('FAILED'), right('QUEUED')];
const WORKERS = [left('WORKER'), left('STATE'), right('BUSY'), right('DONE'), right('FAILED'), left('NOW')];

function sweepLine({ name, state, wanted, done, failed, queued }: SweepCard): string[] {
  const all = wanted.trial + wanted.base;
  const share = all === 0 ? 0 : (done.trial + done.base) / all;
  const bar = `${'#'.repeat(Math.floor(share * BAR)).padEnd(BAR, '.')} ${String(Math.floor(100 * share)).padStart(3)} %`;
  return [
    ...[name, state, bar, `${done.trial}/${wanted.trial}`, `${done.base}/${wanted.base}`],
    ...[String(failed.trial + failed.base), String(queued)],
  ];
}

/** A line per running job, and at least one. */
function workerLines(worker: WorkerCard, sweeps: readonly SweepCard[]): string[][] {
  const { id, label, state, slots, running, done, failed } = worker;
  const nameOf = (key: string): string => sweeps.find((sweep) => sweep.key === key)?.name ?? key;
  const now = running.map(
    (job) =>
      `${job.kind} ${job.id.slice(0, 6)} of ${nameOf(job.sweep)} ${Math.floor(100 * job.share)} %, ${duration(1000 * job.seconds)}${job.attempt > 1 ? `, attempt ${job.attempt}` : ''}`,
  );
  const [first = '', ...more] = now;
  const head = [label === null ? id : `${id} (${label})`, state, `${running.length}/${slots}`, String(done), String(failed), first];
  return [head, ...more.map((line) => ['', '', '', '', '', line])];
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
