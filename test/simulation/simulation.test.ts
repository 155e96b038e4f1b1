import { describe, expect, it } from 'vitest';
import { compile, type Simulate } from './compile.ts';

const SEEDS = 300;
const { simulate } = (await import(await compile())) as { simulate: Simulate };

describe('simulate(seed)', () => {
  it('keeps every row, once and to the byte, whatever befalls broker, network, agents and coordinators', { timeout: 120_000 }, async () => {
    const violations: string[] = [];
    const total = { jobs: 0, executions: 0 };
    for (let seed = 0; seed < SEEDS; seed++) {
      const { violation, jobs, executions } = await simulate(seed);
      if (violation !== null) violations.push(`${violation}\n  npm run simulate -- --from ${seed} --trace`);
      total.jobs += jobs;
      total.executions += executions;
    }
    expect(violations).toEqual([]);
    expect(total.jobs).toBeGreaterThan(4 * SEEDS); // a simulation that asked for nothing has shown nothing
    expect(total.executions / total.jobs).toBeLessThan(2);
  });

  it('is the same history for the same seed, event by event', async () => {
    const [once, again]: [string[], string[]] = [[], []];
    await simulate(5, (line) => once.push(line));
    await simulate(5, (line) => again.push(line));
    expect(once.length).toBeGreaterThan(100);
    expect(again).toEqual(once);
  });
});
