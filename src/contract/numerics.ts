/**
 * Digests of the compiled code behind the rows: rows of two different ones must not stand in one table.
 * `base` covers what trains a base, `trial` that and what corrects, `all` is both.
 */
export interface Numerics {
  readonly base: string;
  readonly trial: string;
  readonly all: string;
  readonly engine: string;
  /** SHA-256 of every file, so that a refusal can say what changed. */
  readonly files: Readonly<Record<string, string>>;
}

/** What differs between two builds, in words. */
export function numericsDiff(before: Numerics, after: Numerics): readonly string[] {
  const paths = [...new Set([...Object.keys(before.files), ...Object.keys(after.files)])].sort();
  const files = paths.flatMap((path) => {
    const [old, now] = [before.files[path], after.files[path]];
    if (old === now) return [];
    return [old === undefined ? `added: ${path}` : now === undefined ? `removed: ${path}` : `changed: ${path}`];
  });
  return before.engine === after.engine ? files : [`engine: ${before.engine} -> ${after.engine}`, ...files];
}
