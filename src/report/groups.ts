/** In the order in which the keys first appear. */
export function groups<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const map = new Map<K, T[]>();
  for (const item of items) {
    const of = key(item);
    const group = map.get(of);
    if (group) group.push(item);
    else map.set(of, [item]);
  }
  return map;
}
