/** Somebody else who has the lock or wants it. */
export interface Rival {
  readonly token: string;
  /** It has it; the others want it. */
  readonly holds: boolean;
}

/** Where a lock is contended. Nothing is asked of it but that what was done before is seen by who looks afterwards. */
export interface Ring<R extends Rival> {
  /** From here on all who look see that we want the lock. */
  claim(): Promise<void>;
  withdraw(): Promise<void>;
  /** All others that may be alive: first who wants it, then who has it. A claim whose owner is dead is removed, and then looked for again. */
  look(): Promise<readonly R[]>;
  /** In one step our claim becomes the lock. False: the claim is gone. */
  promote(): Promise<boolean>;
  /** False: we have waited for long enough. */
  pause(): Promise<boolean>;
}

/**
 * Takes the lock; returns null, or who was faster.
 *
 * Why never two have it: whoever takes it has looked once, after its claim was there and while it stayed there, and seen nobody.
 * Of two, one claimed later. It looked later still, and the claim of the other was there, or the lock that this had become: one looks for
 * claims first and for the lock afterwards, and so misses none that turns from the one into the other meanwhile.
 *
 * Why somebody gets it: of those who see each other all withdraw but the one with the least token.
 */
export async function contend<R extends Rival>(me: string, ring: Ring<R>): Promise<R | null> {
  await ring.claim();
  for (let claimed = true; ; ) {
    const rivals = await ring.look();
    const holder = rivals.find(({ holds }) => holds);
    const first = rivals.find(({ token }) => token < me);
    if (holder !== undefined) {
      if (claimed) await ring.withdraw();
      return holder;
    }
    if (claimed && rivals.length === 0) {
      if (await ring.promote()) return null;
      claimed = false;
    } else if (claimed && first !== undefined) {
      await ring.withdraw();
      claimed = false;
    }
    if (!claimed && first === undefined) {
      await ring.claim();
      claimed = true;
    } else if (!(await ring.pause())) {
      if (claimed) await ring.withdraw();
      return rivals[0] ?? null;
    }
  }
}
