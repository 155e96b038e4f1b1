import { join } from 'node:path';
import { type Machine, sameBits } from '../contract/bits.ts';
import type { Provenance } from '../contract/rows.ts';
import type { EngineName } from '../contract/spec.ts';
import { readLines } from '../coordinator/lines.ts';

/** On which machine these rows were made; of several records of an id the last counts. What is no record is passed over. */
export async function readMachines(folder: string, ids: ReadonlySet<string>): Promise<ReadonlyMap<string, Machine>> {
  const machines = new Map<string, Machine>();
  for await (const { text } of readLines(join(folder, 'provenance.jsonl'))) {
    const record = parse(text);
    if (record && ids.has(record.id)) machines.set(record.id, { cpu: record.cpu, node: record.node });
  }
  return machines;
}

function parse(text: string): Pick<Provenance, 'id' | 'cpu' | 'node'> | null {
  try {
    const { id, cpu, node } = JSON.parse(text) as Partial<Provenance>;
    return typeof id === 'string' && typeof cpu === 'string' && typeof node === 'string' ? { id, cpu, node } : null;
  } catch {
    return null;
  }
}

/** Why a row may have other bytes here than where it was made; null where the same bytes are promised. A machine of which nothing is on record is no excuse. */
export function elsewhere(engine: EngineName, made: Machine | undefined, here: Machine): string | null {
  if (made === undefined || sameBits(engine, made, here, 'same')) return null;
  const otherNode = engine === 'tfjs-cpu' && made.node !== here.node;
  const name = ({ cpu, node }: Machine): string => (otherNode ? `${cpu} with Node ${node}` : cpu);
  const on = engine === 'tfjs-cpu' ? 'one processor and one version of Node only' : 'one processor only';
  return `made on ${name(made)}, this is ${name(here)}: TensorFlow's bits are promised on ${on}`;
}
