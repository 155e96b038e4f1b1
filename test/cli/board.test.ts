import { describe, expect, it } from 'vitest';
import { type Board, printBoard } from '../../src/cli/board.ts';

const board = (workers: number): Board => ({
  url: 'nats://127.0.0.1:4222',
  server: '2.15.2',
  sweeps: [
    {
      ...{ v: 1, name: 'a-sweep-with-a-name-that-goes-on-and-on', key: 'k', cap: 'cpu-1', origin: 'o', host: 'h', pid: 1 },
      ...{ startedAt: 'now', state: 'running', weight: 1, window: 8, queued: 4 },
      ...{ wanted: { trial: 600, base: 10 }, done: { trial: 300, base: 5 }, failed: { trial: 1, base: 0 } },
    },
  ],
  workers: Array.from({ length: workers }, (_, i) => ({
    ...{ v: 1 as const, id: `node-with-a-long-name-${i}-x3k2`, host: 'h', label: 'lab', pid: 1, cap: 'cpu-1', node: 'v20' },
    ...{ startedAt: 'now', slots: 2, state: 'working' as const, reason: '', done: 12, failed: 0 },
    running: [1, 2].map((n) => ({ sweep: 'k', kind: 'trial' as const, id: `abcdefgh${n}`, attempt: n, seconds: 83, share: 0.426 })),
  })),
});

describe('printBoard(board, frame)', () => {
  it('has sweeps, workers and a line per running job, and every line fits into 80 columns', () => {
    const text = printBoard(board(2), { columns: 80 });
    expect(text.split('\n').every((line) => line.length <= 80)).toBe(true);
    expect(text).toContain('nats-server 2.15.2: 1 sweep, 2 workers, 4 slots');
    expect(text).toMatch(/running +##########\.{10} +50 % +300\/600 +5\/10 +1 +4\n/);
    expect(text.match(/trial abcdef/g)).toHaveLength(4);
  });

  it('counts what does not fit into a screen of 24 lines', () => {
    const lines = printBoard(board(30), { columns: 80, rows: 22 }).split('\n');
    expect(lines).toHaveLength(22);
    expect(lines.at(-1)).toBe('... 45 more lines');
  });

  it('says in full what runs where there is room, and what to do where nobody is', () => {
    expect(printBoard(board(1), { columns: 200 })).toContain(
      'trial abcdef of a-sweep-with-a-name-that-goes-on-and-on 42 %, 1 min 23 s, attempt 2',
    );
    expect(printBoard({ ...board(0), sweeps: [] }, { columns: 80 })).toMatch(/no sweep is being run; .*\n\nno worker is there; /);
  });

  it('says in full why a worker is held, and what takes it back', () => {
    const reason = 'trial abcdefgh12345678: row refused, its policy is not what its digest says, which is the third time in an hour';
    const [worker] = board(1).workers;
    const text = printBoard({ ...board(0), workers: [{ ...worker!, state: 'held', reason, running: [] }] }, { columns: 80 });
    const { id } = worker!;
    expect(text.replaceAll(/\s+/g, ' ')).toContain(`${id} is held (${reason}); spc workers release ${id} takes it back`);
    expect(text.split('\n').every((line) => line.length <= 80)).toBe(true);
  });
});
