import type { Engine, Floats } from '../../src/math/engine.ts';
import { makeEngine } from '../../src/worker/engines.ts';
import { flatten, loadCases } from './golden.ts';
import { distance, evaluate } from './harness.ts';
import { losses } from './losses.ts';

/** Gradients of every recorded loss at every recorded network, by loss. `recorded` is the float64 reference, without what overflowed in it. */
function gradientsOf(engine: Engine | 'recorded'): Map<string, (Floats | null)[]> {
  const found = new Map<string, (Floats | null)[]>();
  for (const data of loadCases()) {
    for (const [name, { grad }] of Object.entries(data.losses)) {
      const loss = losses[name];
      if (loss === undefined) continue;
      const recorded = Object.values(grad).some((g) => g.includes(null)) ? null : flatten(data.shape, (entry) => grad[entry.name]!);
      const compute = (over: Engine): Floats => {
        const network = over.network(data.shape, data.obs.length);
        network.set(flatten(data.shape, (entry) => data.params.find((p) => p.name === entry.name)!.values));
        evaluate(network, data, loss);
        return network.backward(data.obs.length, { weights: true }).weights.slice();
      };
      found.set(name, [...(found.get(name) ?? []), engine === 'recorded' ? recorded : compute(engine)]);
    }
  }
  return found;
}

/** Largest difference of the gradients of two engines, relative to the largest entry, by loss: the largest over the recorded networks, null where none has both. */
export function gradientDistances(a: Engine['name'] | 'recorded', b: Engine['name'] | 'recorded'): Record<string, number | null> {
  const [ours, theirs] = [a, b].map((name) => gradientsOf(name === 'recorded' ? name : makeEngine(name)));
  const of = (loss: string): number | null => {
    const pairs = ours!.get(loss)!.map((gradient, i) => [gradient, theirs!.get(loss)![i]] as const);
    const compared = pairs.flatMap(([gradient, other]) => (gradient && other ? [distance(gradient, other)] : []));
    return compared.length > 0 ? Math.max(...compared) : null;
  };
  return Object.fromEntries([...ours!.keys()].map((loss) => [loss, of(loss)]));
}
