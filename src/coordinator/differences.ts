import { canonicalJson, type Json } from '../contract/ids.ts';
import type { TrialSpec } from '../contract/spec.ts';

/** A field in which a spec differs from the one it is compared with; null: it has no such field. */
export interface Difference {
  readonly field: string;
  readonly from: Json;
  readonly to: Json;
}

/** Every field of a spec by the name that a filter gives it. */
export function fieldsOf(spec: TrialSpec): Map<string, Json> {
  const { base, correctionSeed, ...rest } = spec;
  const { seed, ppo, ...world } = base;
  const fields = new Map<string, Json>();
  flatten({ ...world, ppo, seed, correctionSeed, ...rest }, '', fields);
  return fields;
}

/** Mappings, and lists of mappings, field by field; any other list is one value. */
function flatten(value: unknown, path: string, into: Map<string, Json>): void {
  const deep = (inside: unknown): inside is object => typeof inside === 'object' && inside !== null;
  if (!deep(value) || Object.keys(value).length === 0 || (Array.isArray(value) && !value.some(deep))) {
    into.set(path, value as Json);
    return;
  }
  for (const [key, inside] of Object.entries(value))
    flatten(inside, Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`, into);
}

/** The fields in which two specs differ. */
export function differences(from: TrialSpec, to: TrialSpec): Difference[] {
  return between(fieldsOf(from), fieldsOf(to));
}

export function between(from: ReadonlyMap<string, Json>, to: ReadonlyMap<string, Json>): Difference[] {
  return [...new Set([...from.keys(), ...to.keys()])].flatMap((field): Difference[] => {
    const [a = null, b = null] = [from.get(field), to.get(field)];
    return a === b || (from.has(field) === to.has(field) && canonicalJson(a) === canonicalJson(b)) ? [] : [{ field, from: a, to: b }];
  });
}
