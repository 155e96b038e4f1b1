import type { Json } from '../../contract/ids.ts';
import type { Observe } from '../../contract/observe.ts';
import type { TrialResult } from '../../contract/rows.ts';
import type { TrialSpec } from '../../contract/spec.ts';
import type { VecEnv } from '../../envs/vecenv.ts';
import type { Network } from '../../math/engine.ts';
import { makeStream } from '../../math/rng/streams.ts';
import { episodeStreams, moments, playEpisodes } from '../../ppo/episodes.ts';
import { weightsDigest } from '../../ppo/policy.ts';
import type { Constraint } from '../constraint.ts';
import type { Held } from '../identify/rules.ts';
import { divergences, mean, outputs, type States, toxicProbabilities } from '../states.ts';
import { finalEffectiveness, forgetEffectiveness } from './effectiveness.ts';

interface MeterInput {
  readonly spec: TrialSpec;
  readonly constraint: Constraint;
  readonly heldOut: Held;
  readonly makeWorld: (n: number) => VecEnv;
  /** Holds the base's weights when the meter is made. */
  readonly base: Network;
  /** The environment's part of every stream's key. */
  readonly key: Json;
  readonly observe: Observe;
}

export type Meter = ReturnType<typeof makeMeter>;

/** Measures a policy on its way from base to corrected, on states and worlds that no strategy sees. */
export function makeMeter({ spec, constraint, heldOut, makeWorld, base, key, observe }: MeterInput) {
  const { curvePoints, curveEpisodes, regionSamples } = spec.evaluate;
  const { seed } = spec.base;
  const step: number[] = [];
  const forget: (number | null)[] = [];
  const returns: number[] = [];
  const trace: string[] = [];
  const reference = outputs(base, heldOut.outside);
  const before = forgetProbability(base);
  const count = constraint.bare ? 0 : regionSamples;
  const region: States = { obs: new Float32Array(count * constraint.obsDim), count };
  if (count > 0) constraint.sampleRegion(makeStream('evaluate', key, seed, 'region'), region.obs, count);

  /** p̄: mean π(T|s) over the held-out states of the region. */
  function forgetProbability(network: Network): number | null {
    return mean(toxicProbabilities(network, heldOut.region, constraint));
  }

  function meanReturn(network: Network): number {
    const streams = episodeStreams('evaluate', key, seed, curveEpisodes);
    return moments(playEpisodes({ makeWorld, network, mode: 'greedy', streams }).returns).mean;
  }

  return {
    constraint,
    heldOut,
    reference,
    region,
    before,
    trace,
    forgetProbability,
    forgetCurve: { step, value: forget },
    returnCurve: { step, value: returns },
    /** Evenly spread steps from 0 to `steps`, `curvePoints` of them (fewer where there are fewer steps). */
    checkpoints: (steps: number): number[] => [
      ...new Set(Array.from({ length: curvePoints }, (_, i) => Math.round((i * steps) / (curvePoints - 1)))),
    ],
    checkpoint(at: number, network: Network): void {
      observe.phase('curve', () => {
        step.push(at);
        trace.push(weightsDigest(network.get()));
        forget.push(forgetProbability(network));
        returns.push(meanReturn(network));
      });
    },
    beyond: (network: Network): { finalFe: number | null; meanReturn: number } => ({
      finalFe: finalEffectiveness(before, forgetProbability(network)),
      meanReturn: meanReturn(network),
    }),
  };
}

type Forgetting = Pick<TrialResult, 'fe' | 'finalFe' | 'worstCase' | 'retainKl' | 'retainValue' | 'forgetCurve' | 'returnCurve'>;

/** The final measurements on states. Under a mask the unmasked logits say nothing about the policy, so everything stays empty. */
export function forgetting(meter: Meter, network: Network, unmasked: boolean): Forgetting {
  if (!unmasked)
    return { fe: null, finalFe: null, worstCase: null, retainKl: null, retainValue: null, forgetCurve: null, returnCurve: null };
  const { constraint, heldOut, before } = meter;
  const after = meter.forgetProbability(network);
  return {
    fe: forgetEffectiveness(meter.forgetCurve, before),
    finalFe: finalEffectiveness(before, after),
    worstCase: constraint.bare ? null : toxicProbabilities(network, meter.region, constraint).reduce((max, p) => Math.max(max, p), 0),
    ...retention(meter, network, heldOut.outside),
    forgetCurve: meter.forgetCurve,
    returnCurve: meter.returnCurve,
  };
}

/** mean KL(π0‖π) and mean |V − V0| over held-out states outside the region. */
function retention(
  { reference, constraint }: Meter,
  network: Network,
  outside: States,
): { retainKl: number | null; retainValue: number | null } {
  const { value } = outputs(network, outside);
  return {
    retainKl: mean(divergences(network, outside, reference, constraint.policy.kl)),
    retainValue: mean(value.map((v, i) => Math.abs(v - reference.value[i]!))),
  };
}
