/** One line of a table of results over samples, one per round. */
export function row(name, unit, samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { name, unit, value: median, n: sorted.length, min: sorted[0], median, max: sorted.at(-1) };
}

/** How many times `a` is `b`, round by round: what slowed one round down slowed both. */
export const ratio = (name, a, b) =>
  row(
    name,
    'x',
    a.map((value, i) => value / b[i]),
  );

/** ms of CPU time that this process has used, in all its threads. */
export const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
