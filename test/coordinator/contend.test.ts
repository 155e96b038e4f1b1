import { describe, expect, it } from 'vitest';
import { contend, type Ring, type Rival } from '../../src/coordinator/contend.ts';

/** What a folder shows, without the folder: claims and the lock. */
interface World {
  readonly claims: Set<string>;
  lock: string | null;
  /** Took the lock, and did not release it or die. */
  readonly owners: Set<string>;
  readonly dead: Set<string>;
}

/** Every operation of a contender is one or two steps; between any two of them anybody else may go. */
type Gate = () => Promise<void>;

function ringOf(world: World, me: string, gate: Gate, patience: number, lockFirst = false): Ring<Rival> {
  let left = patience;
  return {
    claim: async () => {
      await gate();
      world.claims.add(me);
    },
    withdraw: async () => {
      await gate();
      world.claims.delete(me);
    },
    look: async () => {
      for (;;) {
        await gate();
        const before = world.lock;
        if (lockFirst) await gate();
        const others = [...world.claims].filter((token) => token !== me);
        const dead = others.filter((token) => world.dead.has(token));
        if (dead.length === 0) {
          await gate(); // the lock is read after the claims, and both have long been something else when somebody acts on it
          const lock = lockFirst ? before : world.lock;
          const rivals = others.map((token) => ({ token, holds: false }));
          return lock !== null && !world.dead.has(lock) ? [...rivals, { token: lock, holds: true }] : rivals;
        }
        for (const token of dead) world.claims.delete(token);
      }
    },
    promote: async () => {
      await gate();
      if (!world.claims.delete(me)) return false;
      world.lock = me;
      world.owners.add(me);
      return true;
    },
    pause: async () => {
      await gate();
      return left-- > 0;
    },
  };
}

/** One history: `pick` says which of those that can go goes next, and whether it dies instead. */
async function history(
  names: readonly string[],
  pick: (ready: number) => { readonly next: number; readonly dies: boolean },
  contender: typeof contend,
  lockFirst = false,
) {
  const world: World = { claims: new Set(), lock: 'stale', owners: new Set(), dead: new Set(['stale']) };
  const waiting = new Map<string, () => void>();
  let most = 0;
  let ended = 0;
  for (const me of names) {
    const gate: Gate = () => new Promise((resolve) => waiting.set(me, resolve));
    const life = async (): Promise<void> => {
      if ((await contender(me, ringOf(world, me, gate, 6, lockFirst))) !== null) return;
      await gate();
      await gate();
      world.owners.delete(me); // releases
      world.lock = null;
    };
    void life().then(() => {
      waiting.delete(me);
      ended++;
    });
  }
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  let taken = 0;
  for (let step = 0; step < 400; step++) {
    await settle();
    const ready = [...waiting.keys()].sort();
    if (ready.length === 0) break;
    const { next, dies } = pick(ready.length);
    const who = ready[next] as string;
    const go = waiting.get(who);
    waiting.delete(who);
    if (dies) {
      world.dead.add(who);
      world.owners.delete(who);
      ended++;
    } else go?.();
    await settle();
    if (world.owners.size > 0) taken = 1;
    most = Math.max(most, world.owners.size);
  }
  return { most, taken, ended, dead: world.dead.size - 1 };
}

/** A stream of numbers below n, the same for a seed. */
function draws(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return Math.floor(((state ^ (state >>> 13)) >>> 0) % n);
  };
}

/** All schedules of two, up to a number of switches between them: what a depth-first search of choices visits. */
async function everySchedule(names: readonly string[], choices: number, contender = contend, lockFirst = false) {
  let [histories, two, none] = [0, 0, 0];
  for (let prefix: number[] = []; ; ) {
    const made: { at: number; of: number }[] = [];
    const result = await history(
      names,
      (ready) => {
        const at = made.length < choices ? (prefix[made.length] ?? 0) : made.length % ready;
        made.push({ at: Math.min(at, ready - 1), of: made.length < choices ? ready : 1 });
        return { next: Math.min(at, ready - 1), dies: false };
      },
      contender,
      lockFirst,
    );
    histories++;
    if (result.most > 1) two++;
    if (result.taken === 0) none++;
    const turn = made.findLastIndex(({ at, of }) => at < of - 1);
    if (turn < 0) return { histories, two, none };
    prefix = [...made.slice(0, turn).map(({ at }) => at), (made[turn] as { at: number }).at + 1];
  }
}

describe('contend(me, ring)', () => {
  it('has never two owners, and always one, whatever the order of the first eleven steps of two', async () => {
    const { histories, two, none } = await everySchedule(['a', 'b'], 11);
    expect(histories).toBeGreaterThan(1_000);
    expect({ two, none }).toEqual({ two: 0, none: 0 });
  });

  it('has never two owners among two to four of which any may die at any step', async () => {
    let [two, taken, died] = [0, 0, 0];
    for (let seed = 1; seed <= 1_500; seed++) {
      const draw = draws(seed);
      const names = ['a', 'b', 'c', 'd'].slice(0, 2 + (seed % 3));
      const result = await history(names, (ready) => ({ next: draw(ready), dies: draw(25) === 0 }), contend);
      expect(result.ended).toBe(names.length); // nobody waits for ever
      if (result.most > 1) two++;
      taken += result.taken;
      died += result.dead;
    }
    expect(two).toBe(0);
    expect(taken).toBeGreaterThan(500);
    expect(died).toBeGreaterThan(500);
  });

  it('would be seen to fail: a ring that is looked at in the wrong order lets two in', async () => {
    expect((await everySchedule(['a', 'b'], 11, contend, true)).two).toBeGreaterThan(0);
  });

  it('would be seen to fail: one that looks before it claims lets two in', async () => {
    const hasty = async <R extends Rival>(_me: string, ring: Ring<R>): Promise<R | null> => {
      const [rival] = await ring.look();
      if (rival) return rival;
      await ring.claim();
      await ring.promote();
      return null;
    };
    expect((await everySchedule(['a', 'b'], 8, hasty as typeof contend)).two).toBeGreaterThan(0);
  });
});
