import type { Strategy } from '../strategy.ts';
import { compositions } from './composed.ts';
import { none } from './none.ts';
import { finetune, retrainPenalty } from './penalty.ts';
import { retrain } from './retrain.ts';
import { shield } from './shield.ts';

/** Every way to correct; names and options are in contract/strategies.ts. */
const STRATEGIES: readonly Strategy[] = [none, retrain, shield, finetune, retrainPenalty, ...compositions];

/** Throws RangeError for a name that is not there. */
export function strategyNamed(name: string): Strategy {
  const found = STRATEGIES.find((s) => s.name === name);
  if (!found) throw new RangeError(`strategy: expected one of ${STRATEGIES.map((s) => s.name).join(', ')}, got ${name}`);
  return found;
}
