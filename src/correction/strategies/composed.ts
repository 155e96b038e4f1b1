import type { BoundsOptions, StatesOptions } from '../../contract/strategies.ts';
import { correctFromBounds, correctFromStates } from '../correct.ts';
import { type Strategy, strategy } from '../strategy.ts';

const paper = 'Takács & Gulyás 2025';

const fromStates = (name: string, source: string): Strategy =>
  strategy<StatesOptions>({ name, source, needs: 'states', correct: correctFromStates });

const fromBounds = (name: string, source: string): Strategy =>
  strategy<BoundsOptions>({ name, source, needs: 'bounds', correct: correctFromBounds });

/**
 * The presets that are compositions. One program runs them all, ../correct.ts; what each of them does is data, in contract/strategies.ts:
 * `:paper` as printed (log π descended, stabilising steps in turn, hard masks), without it ours.
 * Those from bounds are given the base, the constraint and the boxes, and nothing that was recorded.
 */
export const compositions: readonly Strategy[] = [
  fromStates('tsf:paper', `targeted state forgetting, ${paper}, phases 2 and 3`),
  fromBounds('zsi:paper', `zero-shot strategy inversion, ${paper}`),
  fromStates('mrp+tsf:paper', `memory replay protection, ${paper}; masks and temperature of doctoral-research/rl-unlearning (MIT)`),
  fromBounds('mrp+zsi:paper', `memory replay protection over zero-shot strategy inversion, ${paper}`),
  fromStates('tsf+zsi:paper', `targeted and zero-shot forgetting, ${paper}`),
  fromStates('tsf', `targeted state forgetting, ${paper}, with a loss that does not fade and worst-case rows`),
  fromBounds('zsi', `zero-shot strategy inversion, ${paper}, with a loss that does not fade and worst-case rows`),
  fromStates('mrp+tsf', `memory replay protection, ${paper}, with soft masks on the step`),
  fromBounds('mrp+zsi', `memory replay protection over zero-shot strategy inversion, ${paper}, with soft masks on the step`),
  fromStates('tsf+zsi', `targeted and zero-shot forgetting, ${paper}, with a loss that does not fade and worst-case rows`),
  fromStates('random', 'random forgetting, the control of Takács & Gulyás 2026 (TBU)'),
];
