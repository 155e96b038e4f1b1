/** Enough for a hundred thousand policies, and easy to copy. */
const SHORTEST = 12;

/** Digests cut to the fewest letters that tell them apart, twelve at least: what `spc export` takes. */
export function shortener(digests: Iterable<string>): (digest: string) => string {
  const sorted = [...new Set(digests)].sort();
  let length = SHORTEST;
  sorted.forEach((digest, i) => {
    const before = sorted[i - 1] ?? '';
    while (digest.slice(0, length) === before.slice(0, length) && length < digest.length) length++;
  });
  return (digest) => digest.slice(0, length);
}
