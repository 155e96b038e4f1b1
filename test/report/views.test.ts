import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STRATEGIES } from '../../src/contract/strategies.ts';
import { csvReport } from '../../src/report/csv.ts';
import { markdownReport } from '../../src/report/markdown.ts';
import { METRICS } from '../../src/report/metrics.ts';
import { readRecords } from '../../src/report/records.ts';
import { makeReport, type Report } from '../../src/report/report.ts';
import { printReport } from '../../src/report/terminal.ts';
import { type SyntheticTrial, synthetic } from './synthetic.ts';

const reportOf = async (trials: readonly SyntheticTrial[]): Promise<Report> => {
  const { asked, source } = synthetic({ trials });
  const { records, strangers } = await readRecords(asked, source);
  return makeReport('quick', records, strangers);
};

const arm = (strategy: string, rows: readonly SyntheticTrial['row'][], overrides = {}): SyntheticTrial[] =>
  rows.map((row, i) => ({ strategy, overrides, seed: i + 1, ...(row && { row }) }));

const asItIs = { fe: 0, finalFe: 0, toxicRate: 0.4, gradientSteps: 0, correctMs: 0 };
const everything = (): Promise<Report> =>
  reportOf([
    ...arm('none', [
      { ...asItIs, worstCase: 0.98 },
      { ...asItIs, worstCase: 1, toxicRate: null },
      { ...asItIs, worstCase: 0.99, notAccepted: ['greedy return 210.0 is below the gate of 475'] },
    ]),
    ...arm('retrain', [
      { gradientSteps: 31_250, environmentSteps: 160_000, correctMs: 9900 },
      { kind: 'diverged', message: 'PPO gradient step 12: expected a finite gradient, got norm NaN' },
    ]),
    ...arm(
      'tsf',
      [
        { fe: 0.972, toxicRate: 0.0004 },
        { fe: 0.976, toxicRate: 0, host: 'b' },
      ],
      {
        'correct.steps': 500,
        'correct.learningRate': 0.02,
      },
    ),
  ]);

describe('printReport(…)', () => {
  it('prints two aligned blocks, what was asked and what failed', async () => {
    expect(printReport(await everything())).toBe(`quick: cartpole/angle, 3 seeds¹; 6 of 7 trials finished, 1 failed

                        FE       final       worst       closed          RSI
strategy  n              %        FE %      case %       loop %            %
none      3/3    0.0 ± 0.0   0.0 ± 0.0  99.0 ± 1.0  40.0 ± 0.0²  100.0 ± 0.0
retrain   1/2³     –           –           –           –         100.0 ±   –
tsf       2/2   97.4 ± 0.3  95.0 ± 0.0   5.0 ± 0.0  <0.1 ± 0.0   100.0 ± 0.0
  correct.steps=500, correct.learningRate=0.02

                             greedy       gradient          env.           time
strategy  n     failed       return        steps %       steps %              %
none      3/3        0  500.0 ± 0.0    0.00 ± 0.00   0.00 ± 0.00   0.00 ± 0.00
retrain   1/2³       1  500.0 ±   –  100.00 ±    –  80.00 ±    –  99.00 ±    –
tsf       2/2        0  500.0 ± 0.0    1.60 ± 0.00  20.00 ± 0.00   4.00 ± 0.00⁴
  correct.steps=500, correct.learningRate=0.02

¹ 1 of 3 bases are not accepted for this scenario, and count all the same: seed
  3 (greedy return 210.0 is below the gate of 475)
² closed loop: n = 2 of 3; the region was never entered in the rest
³ 1 of 2 seeds failed: seed 2 (diverged: PPO gradient step 12: expected a finite
  gradient, got norm NaN)
⁴ time: in 1 of 2 trials correction and training were timed on different hosts

n/asked: training seeds with numbers. mean ± sample standard deviation (÷(n-1))
over them; correction seeds are averaged within their training seed first. –: no
number (no ± below n = 2; retrain acts under a mask, its forgetting is not
measured).
`);
  });

  it('fits 80 columns whatever the numbers and names', async () => {
    const share = fc.double({ min: -40, max: 1, noNaN: true });
    const found = fc.record({
      fe: fc.option(share),
      toxicRate: fc.option(share),
      rsi: share,
      meanReturn: fc.double({ min: -1e5, max: 1e5, noNaN: true }),
      correctMs: fc.double({ min: 0, max: 1e7, noNaN: true }),
    });
    const key = fc.stringMatching(/^[a-zA-Z.]{1,100}$/);
    const trials = fc.tuple(
      fc.constantFrom(...Object.keys(STRATEGIES)),
      fc.array(found, { minLength: 1, maxLength: 4 }),
      fc.dictionary(key, fc.double()),
    );
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(trials, { minLength: 1, maxLength: 3, selector: ([strategy]) => strategy }), async (arms) => {
        const text = printReport(await reportOf(arms.flatMap(([strategy, rows, overrides]) => arm(strategy, rows, overrides))));
        expect(text.split('\n').filter((line) => [...line].length > 80)).toEqual([]);
        expect(text).not.toMatch(/NaN|undefined|null|-0\.0+(?!\d)/);
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it('does not print a positive rate as nothing', async () => {
    const text = printReport(await reportOf(arm('tsf', [{ toxicRate: 0.0004 }, { toxicRate: 0 }])));
    expect(text).toContain('<0.1 ± 0.0');
  });

  it('says – where there is no number: no ± for one seed, nothing for none', async () => {
    const text = printReport(await reportOf([...arm('none', [asItIs]), ...arm('tsf', [{ kind: 'bug', message: 'x\n  at y' }])]));
    expect(text).toContain('none      1/1   0.0 ± –  0.0 ± –');
    expect(text).toMatch(/^tsf {7}0\/1¹ +– +– +– +– +–$/m);
    expect(text).toContain('¹ 1 of 1 seeds failed: seed 1 (bug: x)\n');
    expect(text).not.toMatch(/NaN|undefined|null/);
  });
});

describe('markdownReport(…)', () => {
  it('says the unit, what ± is, n and the failures', async () => {
    expect(markdownReport(await everything())).toBe(`# quick

## cartpole/angle

3 seeds¹; 6 of 7 trials finished, 1 failed.

| strategy | n | failed | FE (%) | final FE (%) | worst case (%) | closed loop (%) | RSI (%) | greedy return (reward) | gradient steps (%) | env. steps (%) | time (%) |
| :-- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |
| none | 3/3 | 0 | 0.0 ± 0.0 | 0.0 ± 0.0 | 99.0 ± 1.0 | 40.0 ± 0.0² | 100.0 ± 0.0 | 500.0 ± 0.0 | 0.00 ± 0.00 | 0.00 ± 0.00 | 0.00 ± 0.00 |
| retrain | 1/2³ | 1 | – | – | – | – | 100.0 ± – | 500.0 ± – | 100.00 ± – | 80.00 ± – | 99.00 ± – |
| tsf<br>correct.steps=500, correct.learningRate=0.02 | 2/2 | 0 | 97.4 ± 0.3 | 95.0 ± 0.0 | 5.0 ± 0.0 | &lt;0.1 ± 0.0 | 100.0 ± 0.0 | 500.0 ± 0.0 | 1.60 ± 0.00 | 20.00 ± 0.00 | 4.00 ± 0.00⁴ |

¹ 1 of 3 bases are not accepted for this scenario, and count all the same: seed 3 (greedy return 210.0 is below the gate of 475)${'  '}
² closed loop: n = 2 of 3; the region was never entered in the rest${'  '}
³ 1 of 2 seeds failed: seed 2 (diverged: PPO gradient step 12: expected a finite gradient, got norm NaN)${'  '}
⁴ time: in 1 of 2 trials correction and training were timed on different hosts

n/asked: training seeds with numbers. mean ± sample standard deviation (÷(n-1)) over them; correction seeds are averaged within their training seed first. –: no number (no ± below n = 2; retrain acts under a mask, its forgetting is not measured).

FE: forget effectiveness, 1 - area under p̄(u)/p̄(0) over the correction; final FE: the same at its end; worst case: largest π(T|s) over samples of the region; closed loop: P(a in T(s) | s in the region), sampled actions; RSI: retain stability, greedy; failed: seeds with a trial without numbers. The last three columns are shares of what training the base took: recording and correcting, measurements excluded.
`);
  });

  it('lets no name or message break a table', async () => {
    const text = markdownReport(await reportOf(arm('a|b', [{ kind: 'bug', message: '<b>|`_*' }])));
    expect(text).toContain('| a\\|b |');
    expect(text).toContain('(bug: &lt;b&gt;\\|\\`\\_\\*)');
  });
});

describe('csvReport(…)', () => {
  it('has a line per arm and metric at full precision, and parses back', async () => {
    const report = await everything();
    const [header, ...lines] = parseCsv(csvReport(report));
    expect(header).toEqual(['scenario', 'strategy', 'overrides', 'metric', 'unit', 'mean', 'std', 'n', 'asked', 'failed']);
    expect(lines.length).toBe(3 * METRICS.length);
    const rows = lines.map((line) => Object.fromEntries(header!.map((name, i) => [name, line[i]])));
    for (const row of rows) {
      const found = report.tables[0]!.rows.find(({ strategy }) => strategy === row['strategy'])!;
      const { mean, std, n } = found.cells[row['metric']!]!;
      const [asked, failed] = [found.asked, found.failed].map(String);
      expect(row).toMatchObject({
        mean: mean === null ? '' : String(mean),
        std: std === null ? '' : String(std),
        n: String(n),
        asked,
        failed,
      });
    }
    const fe = rows.find((row) => row['strategy'] === 'tsf' && row['metric'] === 'fe')!;
    expect(fe['overrides']).toBe('correct.steps=500, correct.learningRate=0.02');
    expect(Number(fe['mean'])).toBeCloseTo(97.4, 12);
    expect(Number(fe['std'])).toBeCloseTo(Math.SQRT2 * 0.2, 12); // 97.2 and 97.6: squares 0.04 + 0.04, ÷1
  });

  it('quotes what needs quotes', async () => {
    const report = await reportOf(arm('tsf', [{}], { 'correct.x': 'a"b\nbreak' }));
    expect(parseCsv(csvReport(report))[1]!.slice(1, 3)).toEqual(['tsf', 'correct.x=a"b\nbreak']);
  });
});

/** RFC 4180. */
function parseCsv(text: string): string[][] {
  const fields = [...text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n)/g)];
  expect(fields.map(([whole]) => whole).join('')).toBe(text);
  const lines: string[][] = [[]];
  for (const [, quoted, bare, end] of fields) {
    lines.at(-1)!.push(quoted?.replaceAll('""', '"') ?? bare ?? '');
    if (end === '\n') lines.push([]);
  }
  return lines.slice(0, -1);
}
