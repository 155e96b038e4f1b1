import { describe, expect, it } from 'vitest';
import { compile, type Simulate } from './compile.ts';
import { mutants } from './mutants.ts';

const SEEDS = 4_000;
/** Where the fault that shows a mutant does not happen. */
const SEEDS_WITHOUT = 500;

/** The first seed that shows something, and what. */
async function firstViolation(address: string, seeds: number, without: readonly string[] = []): Promise<string | null> {
  const { simulate } = (await import(address)) as { simulate: Simulate };
  for (let seed = 1; seed <= seeds; seed++) {
    const { violation } = await simulate(seed, null, without);
    if (violation !== null) return `seed ${seed}: ${violation}`;
  }
  return null;
}

describe('simulate(seed) sees what is wrong with', () => {
  it.each(mutants)('$name', async ({ name, faults }) => {
    const address = await compile(name);
    const seen = await firstViolation(address, SEEDS);
    process.stderr.write(`${name}: ${seen?.slice(0, 160)}\n`);
    expect(seen).not.toBeNull();
    if (faults !== undefined) expect(await firstViolation(address, SEEDS_WITHOUT, faults)).toBeNull(); // it was no luck
  });

  it('nothing, when nothing is: what is compiled is what the tests run', async () => {
    const { simulate } = (await import(await compile())) as { simulate: Simulate };
    const sound = await import('./simulate.ts');
    for (let seed = 0; seed < 20; seed++) expect(await simulate(seed)).toEqual(await sound.simulate(seed));
  });
});
