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
      ...{ perMinute: 12.34, left: { ms: 1_500_000, atLeast: false }, names: [{ id: 'abcdefgh1', name: 'cartpole/angle tsf seed 3/0' }] },
    },
  ],
  workers: Array.from({ length: workers }, (_, i) => ({
    ...{ v: 1 as const, id: `node-with-a-long-name-${i}-x3k2`, host: 'h', label: 'lab', pid: 1, cap: 'cpu-1', node: 'v20' },
    ...{ startedAt: 'now', slots: 2, state: 'working' as const, reason: '', done: 12, failed: 0, silentMs: 1_000 },
    running: [1, 2].map((n) => ({ sweep: 'k', kind: 'trial' as const, id: `abcdefgh${n}`, attempt: n, seconds: 83, share: 0.426 })),
  })),
});

describe('printBoard(board, frame)', () => {
  it('has sweeps, workers and a line per running job, and every line fits into 80 columns', () => {
    const text = printBoard(board(2), { columns: 80 });
    expect(text.split('\n').every((line) => line.length <= 80)).toBe(true);
    expect(text).toContain('nats-server 2.15.2: 1 sweep, 2 workers, 4 slots');
    expect(text).toMatch(/running +50 % +300\/600 +5\/10 +1 +4 +12 +25 min\n/);
    expect(printBoard(board(2), { columns: 120 })).toMatch(/running +#####\.{5} +50 % +300\/600 +5\/10 +1 +4 +12 +25 min\n/);
    expect(text.match(/^ {3}42 % {2}1 min 23 s {2}trial cartpole\/angle tsf seed 3\/0 of a-sweep/gm)).toHaveLength(2);
    expect(text.match(/^ {3}42 % {2}1 min 23 s, attempt 2 {2}trial abcdefgh2 of a-sweep/gm)).toHaveLength(2); // of which the coordinator has not said the name
  });

  it('counts what does not fit into a screen of 24 lines', () => {
    const lines = printBoard(board(30), { columns: 80, rows: 22 }).split('\n');
    expect(lines).toHaveLength(22);
    expect(lines.at(-1)).toBe('... 75 more lines');
  });

  it('says in full what runs where there is room, and what to do where nobody is', () => {
    expect(printBoard(board(1), { columns: 200 })).toContain(
      '42 %  1 min 23 s, attempt 2  trial abcdefgh2 of a-sweep-with-a-name-that-goes-on-and-on',
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

  it('says of a worker that it is silent, whatever it said last, and of a drained one that it is that', () => {
    const [worker] = board(1).workers;
    const silent = printBoard({ ...board(0), workers: [{ ...worker!, silentMs: 17_400 }] }, { columns: 80 });
    expect(silent).toMatch(/x3k2 \(lab\) +silent for 17 s +2\/2 /);
    const drained = printBoard({ ...board(0), workers: [{ ...worker!, state: 'drained', reason: 'by ann' }] }, { columns: 80 });
    expect(drained.replaceAll(/\s+/g, ' ')).toContain(`${worker!.id} is drained (by ann); spc workers release ${worker!.id} takes it back`);
  });

  it('shows what a terminal would obey in a card, and does not let it through', () => {
    const [worker] = board(1).workers;
    const text = printBoard({ ...board(0), workers: [{ ...worker!, label: '\x1b[2Jgone', running: [] }] }, { columns: 100 });
    expect(text).toContain('(\\x1b[2Jgone)');
    expect(text).not.toContain('\x1b');
  });
});
