import { randomInt } from 'node:crypto';
import type { CommandModule } from 'yargs';
import { AbortedError, ConfigError } from '../contract/errors.ts';
import { HostError } from '../contract/host.ts';
import { canonicalJson } from '../contract/ids.ts';
import { isTransient, type TrainedRow, unlimited } from '../contract/job.ts';
import { type Numerics, numericsDiff } from '../contract/numerics.ts';
import type { BaseRow, TrialRow } from '../contract/rows.ts';
import type { EngineName, TrialSpec } from '../contract/spec.ts';
import { DiskFiles } from '../coordinator/disk.ts';
import { baseDivergence, type Divergence, trialDivergence } from '../coordinator/diverge.ts';
import { enginesOf, expand } from '../coordinator/expand.ts';
import { readFrozen } from '../coordinator/freeze.ts';
import { labelOf, type Named, namesOf, wholeArm } from '../coordinator/labels.ts';
import { parseSweepText } from '../coordinator/load.ts';
import { baseFailed } from '../coordinator/schedule.ts';
import { readRows } from '../coordinator/store.ts';
import { explainEmpty, parseWhere, type Subject, WHERE_HELP } from '../coordinator/where.ts';
import { numericsOf } from '../worker/engines.ts';
import { ExecutorPool } from '../worker/executor/pool.ts';
import { PROCESSOR } from '../worker/processor.ts';
import { elsewhere, readMachines } from './elsewhere.ts';
import { onInterrupt, SIGNALLED } from './interrupt.ts';
import { type Injected, threadCount, threadsOption } from './run.ts';
import { resultsFolder } from './table.ts';
import { say } from './text.ts';

interface RerunArguments {
  readonly results: string;
  readonly where: string | undefined;
  readonly sample: number | undefined;
  readonly 'trials-only': boolean;
  readonly threads: number;
  readonly json: boolean;
}

/** What `--json` gives: every chosen trial, in the order of its rows. */
interface RerunJson {
  readonly version: 1;
  readonly folder: string;
  readonly identical: number;
  readonly differs: number;
  readonly otherMachine: number;
  readonly skipped: number;
  readonly unread: number;
  readonly trials: readonly Outcome[];
}

interface Outcome {
  readonly id: string;
  readonly scenario: string;
  readonly strategy: string;
  /** Scenario, strategy, and every parameter in which it differs from other arms. */
  readonly arm: string;
  readonly seed: number;
  readonly correctionSeed: number;
  /** `other-machine`: it differs, but was made where TensorFlow's bits may be others; `skipped`: the stored row is no finding but a crash or a limit; `unread`: its base's stored policy could not be read. */
  readonly outcome: 'identical' | 'differs' | 'other-machine' | 'skipped' | 'unread';
  /** Where the two first parted. */
  readonly divergence?: Divergence;
  /** Of `other-machine`: which it was, and which this is. */
  readonly elsewhere?: string;
}

const EXIT = { identical: 0, unread: 1, differs: 4, empty: 5 } as const;

/** A base as it was computed again, or as it is stored. */
interface Base {
  readonly row: BaseRow;
  readonly policy: Uint8Array | null;
  readonly divergence: Divergence | null;
}

/** Recomputes chosen trials and compares them with their rows byte for byte. Reads the folder, writes nothing. */
async function rerun(args: RerunArguments, { threadModule }: Injected): Promise<void> {
  const slots = threadCount(args.threads);
  const { where, sample } = args;
  if (where === undefined && sample === undefined)
    throw new ConfigError('spc rerun: expected --where, --sample or both, got neither; --where "" takes all trials');
  if (sample !== undefined && !(sample > 0 && sample <= 1))
    throw new ConfigError(`--sample: expected a share above 0, at most 1, got ${sample}`);
  const terms = parseWhere(where ?? '');
  const folder = resultsFolder(args.results);
  const warn = say;
  const { nameOf, sameCode } = await frozenFacts(folder, warn);
  let chosen: { readonly row: TrialRow; readonly text: string; readonly subject: Subject & Named }[] = [];
  const subjects: Subject[] = [];
  for await (const { row, text } of readRows(folder, 'trial')) {
    const { id, spec } = row;
    const subject = { id, spec, ...nameOf(id, spec), state: row.ok ? 'ok' : 'failed' } as const;
    if (terms.every((term) => term.matches(subject))) {
      chosen.push({ row, text, subject });
    } else if (chosen.length === 0) {
      subjects.push(subject);
    }
  }
  if (chosen.length === 0) {
    warn(`rerun ${folder}: ${explainEmpty(terms, subjects)}`);
    process.exitCode = EXIT.empty;
    return;
  }
  if (sample !== undefined) {
    const all = chosen.length;
    chosen = sampled(chosen, sample);
    warn(`rerun ${folder}: ${chosen.length} of ${all} trials, drawn anew every time`);
  }
  const engines = enginesOf(chosen.map(({ row }) => row));
  numericsOf(engines); // throws where one of them is not installed

  const pool = new ExecutorPool({ slots, engines, warn, ...(threadModule && { threadModule }) });
  const interrupt = onInterrupt({ drain: () => pool.stop(), leave: () => {} });
  const files = new DiskFiles(folder);
  const stored = await storedBases(folder, new Set(chosen.map(({ row }) => row.base)));
  const machines = await readMachines(folder, new Set(chosen.flatMap(({ row }) => [row.id, row.base])));
  const here = { cpu: PROCESSOR, node: process.version };
  const bases = new Map<string, Promise<Base>>();
  const baseOf = (row: TrialRow): Promise<Base> => {
    const made = bases.get(row.base) ?? makeBase(row, stored.get(row.base));
    bases.set(row.base, made);
    return made;
  };
  async function makeBase({ base: id, spec }: TrialRow, before: BaseRow | undefined): Promise<Base> {
    if (args['trials-only'] && before?.ok)
      return { row: before, policy: await files.get('policies', before.result.policy), divergence: null };
    const { row, files: made } = await pool.run({ kind: 'base', id, spec: spec.base, limits: unlimited }, null);
    const again = row as BaseRow;
    return { row: again, policy: made[0]?.[1] ?? null, divergence: before ? baseDivergence(before, again) : null };
  }
  async function again(row: TrialRow, base: Base): Promise<TrialRow> {
    if (!base.row.ok) return { id: row.id, base: row.base, spec: row.spec, ok: false, failure: baseFailed(row.base, base.row.failure) };
    const job = { kind: 'trial', id: row.id, spec: row.spec, base: base.row as TrainedRow, limits: unlimited } as const;
    return (await pool.run(job, base.policy)).row as TrialRow;
  }

  const outcomes: Outcome[] = [];
  const count = (what: Outcome['outcome']): number => outcomes.filter(({ outcome }) => outcome === what).length;
  const print = (text: string): void => void (args.json || process.stdout.write(text));
  try {
    // All at once: the pool holds back what has no thread. Printed in the order of the rows.
    const works = chosen.map(async ({ row, text, subject }) => {
      if (!row.ok && isTransient(row.failure)) return { subject, skipped: row.failure.message };
      const base = await baseOf(row).catch((error: unknown) => {
        if (error instanceof HostError && args['trials-only']) return error; // its file: the other bases have theirs
        throw error;
      });
      if (base instanceof HostError) return { subject, unread: base.message };
      const trial = await again(row, base);
      const same = base.divergence === null && canonicalJson(trial) === text;
      if (same) return { subject, divergence: null };
      const divergence = base.divergence ?? trialDivergence(row, trial);
      if (divergence === null) return { subject, divergence: bytes(text, canonicalJson(trial)) };
      const parted = base.divergence ? row.base : row.id;
      return { subject, divergence, reason: sameCode ? elsewhere(row.spec.base.engine, machines.get(parted), here) : null };
    });
    for (const work of works) work.catch(() => {}); // awaited below, in order
    for (const work of works) {
      const { subject, skipped, unread, divergence, reason } = await work;
      const { id, scenario, spec } = subject;
      const arm = wholeArm(subject.arm, spec.base.engine);
      const trial = { id, scenario, strategy: spec.strategy, arm, seed: spec.base.seed, correctionSeed: spec.correctionSeed };
      if (unread !== undefined) {
        outcomes.push({ ...trial, outcome: 'unread' });
        print(`unread     ${labelOf(subject)}: ${unread}\n`);
      } else if (skipped !== undefined) {
        outcomes.push({ ...trial, outcome: 'skipped' });
        print(`skipped    ${labelOf(subject)}: the stored row is no finding (${skipped})\n`);
      } else if (divergence) {
        outcomes.push({ ...trial, ...(reason ? { outcome: 'other-machine', elsewhere: reason } : { outcome: 'differs' }), divergence });
        const { where, stored, again } = divergence;
        print(
          `${reason ? 'other-machine' : 'differs  '}  ${labelOf(subject)}\n  first at ${where}\n    stored ${stored}\n    again  ${again}\n`,
        );
        if (reason) print(`  ${reason}\n`);
      } else {
        outcomes.push({ ...trial, outcome: 'identical' });
        print(`identical  ${labelOf(subject)}\n`);
      }
    }
  } catch (error) {
    if (!(error instanceof AbortedError) || interrupt.signal === null) throw error;
    process.exitCode = SIGNALLED[interrupt.signal];
    return;
  } finally {
    interrupt.end();
    pool.stop();
  }
  const [identical, differs, skipped, unread] = [count('identical'), count('differs'), count('skipped'), count('unread')];
  const otherMachine = count('other-machine');
  const rest = `${otherMachine > 0 ? `, ${otherMachine} on another machine` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}${unread > 0 ? `, ${unread} without a readable base` : ''}`;
  print(`${identical} of ${chosen.length} identical, ${differs} differ${rest}\n`);
  if (args.json) {
    const whole: RerunJson = { version: 1, folder, identical, differs, otherMachine, skipped, unread, trials: outcomes };
    process.stdout.write(`${JSON.stringify(whole, null, 2)}\n`);
  }
  process.exitCode = differs > 0 ? EXIT.differs : unread > 0 ? EXIT.unread : EXIT.identical;
}

/** So many of them, at least one, each with the same chance, in their order. Nobody foresees which: whoever could have forged a row did not know. */
function sampled<T>(all: readonly T[], share: number): T[] {
  const wanted = Math.ceil(share * all.length);
  let taken = 0;
  return all.filter((_, i) => randomInt(all.length - i) < wanted - taken && ++taken > 0);
}

/** The values are the same, the lines are not: somebody wrote them otherwise. */
function bytes(stored: string, again: string): Divergence {
  const at = [...again].findIndex((letter, i) => letter !== stored[i]);
  const cut = (text: string): string => text.slice(Math.max(0, at - 30), at + 30);
  return { where: `the bytes of the line, letter ${at + 1}`, stored: cut(stored), again: cut(again) };
}

interface FrozenFacts {
  /** Names are labels, and no row has them: they come from the frozen sweep. */
  readonly nameOf: (id: string, spec: TrialSpec) => Named;
  /** The rows are known to be of this code. */
  readonly sameCode: boolean;
}

async function frozenFacts(folder: string, warn: (message: string) => void): Promise<FrozenFacts> {
  const frozen = await readFrozen(folder);
  if (!frozen) return { nameOf: namesOf([]), sameCode: false };
  const { sweep } = parseSweepText(frozen.sweepYaml, `${folder}/sweep.yaml`, [], true);
  const trials = expand(sweep);
  return { nameOf: namesOf(trials), sameCode: isOurCode(folder, frozen.numerics, enginesOf(trials), warn) };
}

/** Whether these numerics are ours; says so where they are not, or where that cannot be told: some rows can be compared although an engine of the others is not here. */
function isOurCode(folder: string, before: Numerics, engines: readonly EngineName[], warn: (message: string) => void): boolean {
  let now: Numerics;
  try {
    now = numericsOf(engines);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    warn(`${folder}: whether its rows were computed by this code cannot be told (${error.message})`);
    return false;
  }
  if (now.all === before.all) return true;
  const changes = numericsDiff(before, now).map((change) => `  ${change}`);
  warn(`${folder}: its rows were computed by other code, so they may well differ\n${changes.slice(0, 10).join('\n')}`);
  return false;
}

async function storedBases(folder: string, wanted: ReadonlySet<string>): Promise<ReadonlyMap<string, BaseRow>> {
  const rows = new Map<string, BaseRow>();
  for await (const { row } of readRows(folder, 'base')) if (wanted.has(row.id)) rows.set(row.id, row);
  return rows;
}

/** `spc rerun`: exit codes 0 identical, or different where TensorFlow's bits may be; 4 some differ, 5 nothing selected, 2 usage. */
export const rerunCommand = (injected: Injected = {}): CommandModule<object, RerunArguments> => ({
  command: 'rerun <results>',
  describe: 'compute chosen trials again and compare them with their rows, byte for byte',
  builder: (yargs) =>
    yargs
      .positional('results', { type: 'string', demandOption: true, describe: 'a results folder, or the name of a sweep' })
      .option('where', {
        type: 'string',
        requiresArg: true,
        describe: 'which trials: field=value, !=, a|b, 1..3, joined by commas; empty for all',
      })
      .option('sample', {
        type: 'number',
        requiresArg: true,
        describe: 'of these, a share drawn by chance, 0.02 is one of fifty; without --where, of all',
      })
      .option('trials-only', {
        type: 'boolean',
        default: false,
        describe: 'start from the stored policies of the bases, do not train them again',
      })
      .option('threads', threadsOption)
      .option('json', { type: 'boolean', default: false, describe: 'one object at the end, for programs' })
      .example('$0 rerun results/quick --where "strategy=tsf,seed=1..3"', 'three seeds of an arm, from scratch')
      .example('$0 rerun results/quick --sample 0.02', 'one trial of fifty: were the workers honest?')
      .example('$0 rerun results/quick --where "id=3fk2" --trials-only', 'one trial, from its stored base')
      .epilogue(
        `${WHERE_HELP} Rows of tfjs and tfjs-cpu may differ on another processor: that is said, and no difference. Exit codes: 0 identical, 4 some differ, 5 nothing selected.`,
      ),
  handler: (args) => rerun(args, injected),
});
