import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** An episode of a golden file; test/golden/README.md has the fields. */
export interface RecordedEpisode {
  seed: number;
  obs: number[][];
  act: (number | number[])[];
  rew: number[];
  term: boolean[];
  trunc: boolean[];
  state?: number[][];
}

/** The episodes of test/golden/<name>.json.gz. */
export function recorded(name: string): RecordedEpisode[] {
  const packed = readFileSync(new URL(`../golden/${name}.json.gz`, import.meta.url));
  return JSON.parse(gunzipSync(packed).toString()).episodes;
}
