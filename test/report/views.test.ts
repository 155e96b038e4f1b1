import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STRATEGIES } from '../../src/contract/strategies.ts';
import { csvReport } from '../../src/report/csv.ts';
import { jsonReport } from '../../src/report/json.ts';
import { markdownReport } from '../../src/report/markdown.ts';
import { chooseMetrics, METRICS } from '../../src/report/metrics.ts';
import { readRecords } from '../../src/report/records.ts';
import { makeReport, type Report } from '../../src/report/report.ts';
import { printReport } from '../../src/report/terminal.ts';
import { texReport } from '../../src/report/tex.ts';
import type { View } from '../../src/report/view.ts';
import { reportOf as reportOfAll, type SyntheticTrial, synthetic, usual } from './synthetic.ts';

const reportOf = (trials: readonly SyntheticTrial[], view: Partial<View> = {}, metrics?: readonly string[]): Promise<Report> =>
  reportOfAll({ trials }, view, metrics);

const arm = (strategy: string, rows: readonly SyntheticTrial['row'][], overrides = {}): SyntheticTrial[] =>
  rows.map((row, i) => ({ strategy, overrides, seed: i + 1, ...(row && { row }) }));

/** Arms of any names, also of strategies that are not there yet. */
async function named(
  names: readonly string[],
  rows: readonly SyntheticTrial['row'][],
  view: Partial<View>,
  overrides = {},
): Promise<Report> {
  const { asked, source } = synthetic({ trials: names.flatMap((name) => arm('tsf', rows, { name })) });
  const found = await readRecords(asked, source, chooseMetrics(undefined));
  const records = found.records.map((r) => ({ ...r, trial: { ...r.trial, strategy: String(r.trial.overrides['name']), overrides } }));
  return makeReport('quick', { ...found, records }, { ...usual, ...view });
}

const COMPARED = ['baseline', 'difference', 'differenceStd', 'differenceLow', 'differenceHigh', 'pairs'];
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
  it('prints aligned blocks, what was asked and what failed', async () => {
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

IQM               FE  final   worst  closed    RSI  success
strategy  n        %   FE %  case %  loop %      %        %
none      3/3    0.0    0.0    99.0   40.0²  100.0  0.0 (3)
retrain   1/2³     –      –       –      –   100.0        –
tsf       2/2   97.4   95.0     5.0   <0.1   100.0  0.0 (2)
  correct.steps=500, correct.learningRate=0.02

¹ 1 of 3 bases are not accepted for this scenario, and count all the same: seed
  3 (greedy return 210.0 is below the gate of 475)
² closed loop: n = 2 of 3 seeds; the other has none: the region was never
  entered
³ 1 of 2 seeds failed: seed 2 (diverged: PPO gradient step 12: expected a finite
  gradient, got norm NaN)
⁴ time: in 1 of 2 trials correction and training were timed on different hosts

n/asked: training seeds with numbers; failed: those with a failed trial. mean ±
sample standard deviation (÷(n-1)) over seeds; correction seeds are averaged
within their training seed first.
IQM: mean of the middle half of the seeds, those on its border in part
(arXiv:2108.13264).
success: share of seeds that succeed: accepted base, final FE >= 99 %, worst
case <= 5 %, RSI >= 98 %; a failed trial is none; n in brackets.
–: no number (no ± below n = 2; retrain and shield act under a mask, their
forgetting is not measured).

quick: cartpole/angle, 3 seeds¹; 6 of 7 trials finished, 1 failed
                              FE     final     worst     closed        RSI
strategy  n     failed         %      FE %    case %     loop %          %
none      3/3        0   0.0±0.0   0.0±0.0  99.0±1.0  40.0±0.0²  100.0±0.0
retrain   1/2³       1     –         –         –         –       100.0±  –
tsf correct.steps=500, correct.learningRate=0.02
          2/2        0  97.4±0.3  95.0±0.0   5.0±0.0  <0.1±0.0   100.0±0.0
`);
  });

  const screen = (report: Report): string[] => printReport(report).trimEnd().split('\n').slice(-23);
  const seeds = (found: object): SyntheticTrial['row'][] => [1, 2, 3].map((i) => ({ ...found, rsi: 0.8 + i / 20, worstCase: i / 3 }));
  const failing: SyntheticTrial['row'] = { kind: 'refused', message: 'acceptance: expected a base fit for this scenario, got less' };

  it('ends in one screen of 24 lines with every row, its failures, FE and RSI, for fifteen arms of any strategy', async () => {
    const names = Object.keys(STRATEGIES).slice(0, 15);
    const lines = screen(await reportOf(names.flatMap((name, i) => arm(name, [...seeds({ fe: i / 16 }), failing]))));
    const at = lines.findIndex((line) => line.startsWith('quick: cartpole/angle, 4 seeds; 45 of 60 trials finished, 15 failed'));
    expect(at).toBeGreaterThanOrEqual(0);
    expect(lines[at + 1]).toMatch(/ FE .* RSI$/);
    expect(lines[at + 2]).toMatch(/^strategy +n +failed( +(%|FE %|case %|loop %))+$/);
    for (const name of names)
      expect(lines.filter((line) => line.startsWith(`${name} `))).toEqual([expect.stringMatching(/ 3\/4. +1 .* 90\.0 ?± ?5\.0$/)]);
  });

  it('ends in one screen for five scenarios, each row with its scenario', async () => {
    const scenarios = [
      'cartpole/angle',
      'mountaincar/pump-left',
      'mountaincar-continuous/pump',
      'lunarlander/descent',
      'lunarlander-continuous/descent',
    ];
    const trials = scenarios.flatMap((scenario) =>
      ['none', 'shield', 'tsf'].flatMap((name) => arm(name, [...seeds({}), failing]).map((trial) => ({ ...trial, scenario }))),
    );
    const lines = screen(await reportOf(trials));
    const at = lines.indexOf('quick: 5 scenarios; 45 of 60 trials finished, 15 failed');
    expect(at).toBeGreaterThanOrEqual(0);
    expect(lines[at + 2]).toMatch(/^scenario +strategy +n +failed +/);
    expect(lines.slice(at + 3)).toHaveLength(15);
    for (const line of lines.slice(at + 3)) expect(line).toMatch(/^[\w/-]+ +\w+ +3\/4 +1 .* 90\.0 ?± ?5\.0$/);
  });

  it('keeps FE and RSI beside each other in its last table whatever the names, and the names whole', async () => {
    const name = 'a-strategy-with-a-name-that-is-longer-than-the-room-that-there-is-beside-numbers';
    const report = await named([name, 'tsf'], [{}, {}], {}, { 'correct.steps': 500, 'correct.forget': 'unlikelihood' });
    const last = printReport(report).trimEnd().split('\n\n').at(-1) ?? '';
    expect(last.replaceAll(/\s+/g, '')).toContain(name);
    expect(last).toMatch(/FE.* RSI\n/);
    expect(last.split('\n').every((line) => [...line].length <= 80)).toBe(true);
  });

  it('ends in the columns that were chosen, where FE and RSI are not among them', async () => {
    const lines = printReport(await reportOf(arm('tsf', seeds({})), {}, ['finalFe', 'return']))
      .trimEnd()
      .split('\n');
    expect(lines.slice(-3).map((line) => line.trim().split(/\s+/).join(' '))).toEqual([
      'final',
      'strategy n failed FE %',
      'tsf 3/3 0 95.0 ± 0.0',
    ]);
    const none = printReport(await reportOf(arm('tsf', seeds({})), {}, ['return']));
    expect(none.match(/^quick: /gm)).toHaveLength(1);
  });

  it('never cuts a refusal before its remedy, in notes and in the list of what is missing', async () => {
    const remedy = '`acceptance: report` runs it all the same';
    const reasons = Array.from({ length: 12 }, (_, i) => `reason ${i} with the numbers that are behind it`).join('; ');
    const refused = { kind: 'refused', message: `acceptance: expected a base fit for this scenario, got: ${reasons}; ${remedy}` } as const;
    const report = await reportOf(arm('tsf', [refused, {}]));
    const words = (sheet: 'summary' | 'unfinished'): string => printReport(report, sheet).replaceAll(/\s+/g, ' ');
    expect(words('summary')).toContain(`reason 2 with the numbers`);
    expect(words('summary')).toContain(`...; ${remedy})`);
    expect(words('unfinished')).toContain(`${reasons}; ${remedy}`);
    expect(report.unfinished[0]?.why).toBe(`refused: ${refused.message}`);
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

  const NAMES = [
    ...['none', 'retrain', 'tsf:paper', 'tsf', 'mrp+tsf:paper', 'mrp+tsf', 'zsi:paper', 'zsi', 'mrp+zsi', 'retrain-penalty'],
    ...['ppo-lagrangian', 'finetune', 'random-reward', 'trajdeleter', 'decremental', 'mrp+tsf+shield:paper-lambda'],
  ];

  it('keeps 16 arms with long names in 80 columns, a name and its numbers in one line', async () => {
    const overrun = { multiple: [2, 4], finalFe: [0.9, -12.3], meanReturn: [1, 2] };
    const made = { fe: 0.123, finalFe: -3.21, toxicRate: 0.5, rsi: 0.987, correctMs: 12_345, overrun };
    const report = await named(NAMES, [made, { ...made, fe: 0.999 }], { baseline: 'none', perSeed: true });
    for (const sheet of ['summary', 'seeds'] as const) {
      const text = printReport(report, sheet);
      expect(text.split('\n').filter((line) => [...line].length > 80)).toEqual([]);
    }
    const text = printReport(report);
    expect(text).toMatch(/^retrain-penalty {2}2\/2 {2}56\.1±61\.9/m);
    expect(text).toMatch(/^mrp\+tsf\+shield:paper-lambda\n {17}2\/2 {2}56\.1±61\.9/m);
  });

  it('puts differences and their intervals below one another', async () => {
    const report = await reportOf(
      [...arm('none', [{ rsi: 0.1 }, { rsi: 0.3 }]), ...arm('tsf', [{ rsi: 0.2 }, { rsi: 0.6 }])],
      { baseline: 'none' },
      ['rsi'],
    );
    // 10 and 30: mean 20, std 14.14, half 12.706 · 14.142 / √2 = 127.06
    expect(printReport(report)).toContain(`
minus none                      RSI
strategy    pairs                 %
tsf             2      +20.0 ± 14.1
                   [-107.1, +147.1]
`);
  });

  it('has a line per training seed', async () => {
    const report = await reportOf(
      arm('tsf', [{ rsi: 0.5 }, { kind: 'bug', message: 'x' }, undefined], { 'correct.steps': 7 }),
      { perSeed: true },
      ['rsi', 'fe'],
    );
    expect(printReport(report, 'seeds')).toContain(`
                  RSI    FE
  seed  state       %     %
tsf¹·²
  correct.steps=7
     1  ok       50.0  90.0
     2  failed      –     –
     3  missing     –     –
`);
  });

  it('lists what has no numbers, by arm and seed, and why', async () => {
    const report = await reportOf([
      ...arm('none', [{}, undefined]),
      ...arm('tsf', [{}, { kind: 'diverged', message: 'NaN' }], { 'correct.steps': 7 }),
    ]);
    expect(printReport(report, 'unfinished')).toBe(`quick: 2 of 4 trials have no numbers; seed/correction seed:

cartpole/angle none
  2/0  missing  no row yet

cartpole/angle tsf correct.steps=7
  2/0  failed   diverged: NaN
`);
    expect(printReport(await reportOf(arm('none', [{}])), 'unfinished')).toBe('quick: 0 of 1 trials have no numbers\n');
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

interquartile means, and the share of seeds that succeed:

| strategy | n | failed | FE (%) | final FE (%) | worst case (%) | closed loop (%) | RSI (%) | success (%) |
| :-- | --: | --: | --: | --: | --: | --: | --: | --: |
| none | 3/3 | 0 | 0.0 | 0.0 | 99.0 | 40.0² | 100.0 | 0.0 (3) |
| retrain | 1/2³ | 1 | – | – | – | – | 100.0 | – |
| tsf<br>correct.steps=500, correct.learningRate=0.02 | 2/2 | 0 | 97.4 | 95.0 | 5.0 | &lt;0.1 | 100.0 | 0.0 (2) |

¹ 1 of 3 bases are not accepted for this scenario, and count all the same: seed 3 (greedy return 210.0 is below the gate of 475)${'  '}
² closed loop: n = 2 of 3 seeds; the other has none: the region was never entered${'  '}
³ 1 of 2 seeds failed: seed 2 (diverged: PPO gradient step 12: expected a finite gradient, got norm NaN)${'  '}
⁴ time: in 1 of 2 trials correction and training were timed on different hosts

n/asked: training seeds with numbers; failed: those with a failed trial. mean ± sample standard deviation (÷(n-1)) over seeds; correction seeds are averaged within their training seed first.${'  '}
IQM: mean of the middle half of the seeds, those on its border in part (arXiv:2108.13264).${'  '}
success: share of seeds that succeed: accepted base, final FE &gt;= 99 %, worst case &lt;= 5 %, RSI &gt;= 98 %; a failed trial is none; n in brackets.${'  '}
–: no number (no ± below n = 2; retrain and shield act under a mask, their forgetting is not measured).

FE: forget effectiveness, 1 - area under p̄(u)/p̄(0) over the correction; final FE: forget effectiveness at the end, 1 - p̄/p̄(0) of the returned policy; worst case: largest π(T\\|s) over samples of the region; closed loop: P(a in T(s) \\| s in the region), sampled actions; RSI: retain stability, greedy: the return kept between that of a random policy and that of the base; greedy return: mean return of greedy episodes; gradient steps: gradient steps of correcting, as a share of those of training the base; env. steps: environment steps of recording and correcting, as a share of those of training the base; time: time of recording and correcting, as a share of that of training the base; measurements excluded.
`);
  });

  it('lets no name or message break a table', async () => {
    const text = markdownReport(await reportOf(arm('a|b', [{ kind: 'bug', message: '<b>|`_*' }])));
    expect(text).toContain('| a\\|b |');
    expect(text).toContain('(bug: &lt;b&gt;\\|\\`\\_\\*)');
  });
});

describe('texReport(…)', () => {
  it('is a booktabs table per block, every line as wide as its header, braces and dollars in pairs', async () => {
    const view = { baseline: 'a_b&c%', where: 'seed=1|2', perSeed: true };
    const report = await named(['a_b&c%', 'tsf'], [{ toxicRate: null }, { rsi: -1 }, undefined], view, { 'correct.x': 'y#{$~^\\' });
    for (const sheet of ['summary', 'seeds', 'unfinished'] as const) {
      const text = texReport(report, sheet);
      expect(text.match(/(?<!\\)\$/g)?.length ?? 0).toSatisfy((n: number) => n % 2 === 0);
      expect(text.match(/(?<!\\)\{/g)?.length).toBe(text.match(/(?<!\\)\}/g)?.length);
      const tables = text.split('\\begin{tabular}').slice(1);
      expect(tables).toHaveLength({ summary: 3, seeds: 1, unfinished: 1 }[sheet]);
      for (const table of tables) {
        const columns = table.match(/^\{(l?r*)\}/)?.[1]?.length;
        const lines = table.split('\n').filter((line) => line.endsWith('\\\\'));
        expect(new Set(lines.map((line) => line.replaceAll('\\&', '').split('&').length))).toEqual(new Set([columns]));
        expect(table).toMatch(/\\toprule.*\\midrule.*\\bottomrule/s);
      }
    }
    const text = texReport(report);
    expect(text).toContain('a\\_b\\&c\\% & 2/3');
    expect(text).toContain('\\quad correct.x=y\\#\\{\\$\\textasciitilde{}\\textasciicircum{}\\textbackslash{}');
    expect(text).toContain('$1.0 \\pm \\mbox{--}$\\textsuperscript{2}');
    expect(text).toContain('where seed=1$|$2');
    expect(text).not.toMatch(/[^\n -~]/u); // ASCII: no letter that a font may lack
  });
});

describe('jsonReport(…)', () => {
  it('is the report itself, and docs/tables.md has every key of it', async () => {
    const report = await reportOf(arm('tsf', [{}, { kind: 'bug', message: 'x' }]), { baseline: 'tsf', perSeed: true });
    expect(JSON.parse(jsonReport(report))).toEqual(report);
    const docs = readFileSync('docs/tables.md', 'utf8');
    const keys = new Set<string>();
    const collect = (value: unknown): void => {
      if (Array.isArray(value)) value.forEach(collect);
      else if (typeof value === 'object' && value !== null)
        for (const [key, inner] of Object.entries(value)) {
          if (!METRICS.some((metric) => metric.key === key)) keys.add(key);
          collect(inner);
        }
    };
    collect(report);
    expect([...keys].filter((key) => !docs.includes(`\`${key}\``))).toEqual([]);
    const lines = METRICS.map(({ key, unit, describe: what }) => `| \`${key}\` | ${unit} | ${what.replaceAll('|', '\\|')} |`);
    expect(lines.filter((line) => !docs.includes(line))).toEqual([]);
  });
});

describe('csvReport(…)', () => {
  it('has a line per arm and metric at full precision, and parses back', async () => {
    const report = await everything();
    const [header, ...lines] = parseCsv(csvReport(report));
    expect(header).toEqual([
      'scenario',
      'strategy',
      'overrides',
      'metric',
      'unit',
      'mean',
      'std',
      'iqm',
      'n',
      'asked',
      'failed',
      ...COMPARED,
    ]);
    expect(lines.length).toBe(3 * report.tables[0]!.columns.length);
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

  it('has differences where there is a baseline, at full precision', async () => {
    const report = await reportOf([...arm('none', [{ rsi: 0.1 }, { rsi: 0.3 }]), ...arm('tsf', [{ rsi: 0.2 }, { rsi: 0.6 }])], {
      baseline: 'none',
    });
    const lines = parseCsv(csvReport(report)).filter(([, , , metric]) => metric === 'rsi');
    const { mean, std, low, high } = report.tables[0]!.rows[1]!.cells['rsi']!.difference!;
    expect([mean, std]).toEqual([expect.closeTo(20, 10), expect.closeTo(Math.SQRT1_2 * 20, 10)]);
    expect(lines.map((line) => line.slice(-6))).toEqual([Array(6).fill(''), ['none', ...[mean, std, low, high].map(String), '2']]);
  });

  it('has a line per seed and metric with --per-seed, and per trial with --missing', async () => {
    const report = await reportOf([...arm('tsf', [{ rsi: 0.25 }, { kind: 'bug', message: 'a, "b"' }, undefined])], { perSeed: true });
    const rsi = parseCsv(csvReport(report, 'seeds')).filter(([, , , , , , , , metric]) => metric === 'rsi');
    expect(rsi.map((line) => line.slice(3))).toEqual([
      ['1', 'ok', '1', '1', '0', 'rsi', '%', '25', '', ''],
      ['2', 'failed', '1', '0', '1', 'rsi', '%', '', '', ''],
      ['3', 'missing', '1', '0', '0', 'rsi', '%', '', '', ''],
    ]);
    expect(parseCsv(csvReport(report, 'unfinished')).map((line) => line.slice(3))).toEqual([
      ['seed', 'correctionSeed', 'state', 'why', 'engine'],
      ['2', '0', 'failed', 'bug: a, "b"', 'wasm'],
      ['3', '0', 'missing', 'no row yet', 'wasm'],
    ]);
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
