import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { LEDGER } from '../contract/checks.ts';
import { ConfigError } from '../contract/errors.ts';
import { type Numerics, numericsDiff } from '../contract/numerics.ts';
import { exists, writeWhole } from './disk.ts';
import { expand } from './expand.ts';
import { diffPlans, isExtension, type Plan, planOf, printPlanFile } from './plan.ts';

/** What a results folder belongs to: written at the first run, compared at every other. */
export interface Frozen {
  /** The file as it took effect, overrides included. */
  readonly sweepYaml: string;
  readonly plan: Plan;
  readonly numerics: Numerics;
}

export interface FreezeOptions {
  readonly extend: boolean;
  readonly recompute: boolean;
  readonly warn: (message: string) => void;
}

/** What changed from a frozen plan to this one, a line each; the last tells of trials that are no longer wanted. */
export function planChanges(before: Plan, now: Plan): readonly string[] {
  const lost = keepsAll(before, now) ? [] : ['some of the trials are no longer wanted; their rows stay, and no table counts them'];
  return [...diffPlans(printPlanFile(before), printPlanFile(now)), ...lost];
}

/** Not so when a default moved since: then the same file stands for other trials. */
function keepsAll(before: Plan, now: Plan): boolean {
  try {
    return planOf(before.sweep).digest === before.digest && isExtension(before.sweep, now.sweep);
  } catch {
    return false; // of a time when files said other things
  }
}

const SHOWN = 20;

/**
 * First run: freezes. Later runs: refuses another plan unless `extend`, other code behind the numbers unless `recompute`,
 * which moves the old rows aside. Throws ConfigError with the differences.
 */
export async function freeze(folder: string, now: Frozen, options: FreezeOptions): Promise<void> {
  const at = (name: string): string => join(folder, name);
  const before = await readFrozen(folder);
  if (before === null) {
    if ((await exists(at('trials.jsonl'))) || (await exists(at('bases.jsonl')))) {
      throw new ConfigError(
        `${folder}: expected plan.json and numerics.json beside the rows, got rows alone; move them away or restore what is missing`,
      );
    }
  } else {
    if (before.plan.digest !== now.plan.digest) {
      const changes = planChanges(before.plan, now.plan);
      if (!options.extend) {
        throw new ConfigError(
          `${folder}: expected the sweep that its rows belong to, got another; run with --extend, or give it another name\n${list(changes)}`,
        );
      }
      options.warn(`${folder}: extended\n${list(changes)}`);
      await keepPlan(folder, before.plan);
    }
    if (options.recompute) await moveAside(folder, before.numerics, now.numerics, options.warn);
    else if (before.numerics.all !== now.numerics.all) {
      throw new ConfigError(
        `${folder}: expected the code that its rows were computed with, got another; run with --recompute (the old rows are moved aside), or use the old code\n${list(numericsDiff(before.numerics, now.numerics))}`,
      );
    }
  }
  if (before?.sweepYaml !== now.sweepYaml) await writeWhole(at('sweep.yaml'), now.sweepYaml);
  if (before?.numerics.all !== now.numerics.all) await writeWhole(at('numerics.json'), `${JSON.stringify(now.numerics, null, 1)}\n`);
  const plan = printPlanFile(now.plan);
  if (!before || printPlanFile(before.plan) !== plan) await writeWhole(at('plan.json'), plan);
}

const FORMER = 'plans';

/** A plan that is no longer the folder's, under its digest: workers may still finish what it asked for. */
async function keepPlan(folder: string, plan: Plan): Promise<void> {
  await mkdir(join(folder, FORMER), { recursive: true });
  await writeWhole(join(folder, FORMER, `${plan.digest}.json`), printPlanFile(plan));
}

/** Ids that earlier plans of a folder wanted. A plan that cannot be read any more has none. */
export function formerIds(folder: string): Readonly<Record<'base' | 'trial', ReadonlySet<string>>> {
  const ids = { base: new Set<string>(), trial: new Set<string>() };
  const path = join(folder, FORMER);
  for (const name of existsSync(path) ? readdirSync(path) : []) {
    try {
      const { sweep } = JSON.parse(readFileSync(join(path, name), 'utf8')) as Plan;
      for (const { id, baseId } of expand(sweep)) {
        ids.trial.add(id);
        ids.base.add(baseId);
      }
    } catch {
      // of a time when files said other things
    }
  }
  return ids;
}

const list = (changes: readonly string[]): string => {
  const shown = changes.slice(0, SHOWN).map((change) => `  ${change}`);
  return [...shown, ...(changes.length > SHOWN ? [`  ... and ${changes.length - SHOWN} more`] : [])].join('\n');
};

/** Null where nothing was frozen yet: plan.json is written last. */
export async function readFrozen(folder: string): Promise<Frozen | null> {
  const read = (name: string): Promise<string | null> => readFile(join(folder, name), 'utf8').catch(() => null);
  const [plan, numerics, sweepYaml] = [await read('plan.json'), await read('numerics.json'), await read('sweep.yaml')];
  if (plan === null || numerics === null || sweepYaml === null) return null;
  return {
    sweepYaml,
    plan: parse<Plan>(plan, join(folder, 'plan.json')),
    numerics: parse<Numerics>(numerics, join(folder, 'numerics.json')),
  };
}

function parse<T extends object>(text: string, where: string): T {
  try {
    const value = JSON.parse(text) as T | null;
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // judged below
  }
  throw new ConfigError(
    `${where}: expected what the first run wrote, got ${JSON.stringify(text.slice(0, 60))}; restore it, or move the folder away`,
  );
}

/** Bases stay where they are when the code that trains them is the same and only the code that corrects is another. */
async function moveAside(folder: string, before: Numerics, now: Numerics, warn: (message: string) => void): Promise<void> {
  const keepBases = before.base === now.base && before.trial !== now.trial;
  const names = ['trials.jsonl', ...Object.values(LEDGER), ...(keepBases ? [] : ['bases.jsonl', 'provenance.jsonl', 'numerics.json'])];
  let suffix = 1;
  while ((await Promise.all(names.map((name) => exists(join(folder, `${name}.${suffix}`))))).some(Boolean)) suffix++;
  const moved: string[] = [];
  for (const name of names) {
    if (!(await exists(join(folder, name)))) continue;
    await rename(join(folder, name), join(folder, `${name}.${suffix}`));
    moved.push(name);
  }
  if (moved.length > 0)
    warn(`${folder}: ${moved.join(', ')} moved aside as *.${suffix}${keepBases ? '; bases stay, their code is the same' : ''}`);
}
