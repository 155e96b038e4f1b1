import type { Strategy } from '../strategy.ts';
import { none } from './none.ts';
import { retrain } from './retrain.ts';
import { tsf } from './tsf.ts';
import { tsfPaper } from './tsf-paper.ts';

/** Every way to correct; names and options are in contract/strategies.ts. */
const STRATEGIES: readonly Strategy[] = [none, retrain, tsfPaper as Strategy, tsf as Strategy];

/** Throws RangeError for a name that is not there. */
export function strategyNamed(name: string): Strategy {
  const found = STRATEGIES.find((s) => s.name === name);
  if (!found) throw new RangeError(`strategy: expected one of ${STRATEGIES.map((s) => s.name).join(', ')}, got ${name}`);
  return found;
}
