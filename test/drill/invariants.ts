import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NatsLink } from '../../src/bus/nats/link.ts';
import { TASKS } from '../../src/bus/nats/streams.ts';
import { filesOf } from '../../src/contract/job.ts';
import type { BaseRow, TrialRow } from '../../src/contract/rows.ts';
import { sleep } from '../cli/spc.ts';
import { filesIn, linesOf } from './folder.ts';
import { LEASE_MS, type Site } from './site.ts';

/** Executions by jobs: what faults may cost. */
const MOST_EXECUTIONS = 1.25;
const MOST_GROWTH_MB = 50;

/** Waits until no fault is under way any more. Then: nothing is on its way in the broker, and no job waits there. */
export async function quiet(site: Site): Promise<string[]> {
  await sleep(2 * LEASE_MS);
  const link = await NatsLink.connect({ url: site.server.url, name: 'inspector' });
  try {
    // A job whose acknowledgement was lost in the last second, or that was given twice, has a lease to run out first.
    for (const end = Date.now() + 5 * LEASE_MS; ; await sleep(500)) {
      const { messages } = (await link.jsm.streams.info(TASKS)).state;
      const consumers = await link.jsm.consumers.list(TASKS).next();
      const pending = consumers.reduce((sum, { num_ack_pending }) => sum + num_ack_pending, 0);
      if (messages === 0 && pending === 0) return [];
      if (Date.now() > end) return [`I6: expected an empty work queue, got ${messages} job(s), ${pending} of them leased`];
    }
  } finally {
    await link.close();
  }
}

/** What is wrong with what a sweep has left; `expected` is the folder of the same sweep without a broker and without faults. */
export function compareRows(folder: string, expected: string): string[] {
  const wrong: string[] = [];
  for (const name of ['bases.jsonl', 'trials.jsonl']) {
    const [got, wanted] = [linesOf(folder, name).sort(), linesOf(expected, name).sort()];
    const ids = got.map(idOf);
    const asked = new Set(wanted.map(idOf));
    if (wanted.length === 0) wrong.push(`${name}: the sweep without faults has no rows to compare with`);
    if (new Set(ids).size !== ids.length) wrong.push(`I1: ${name} has ${ids.length - new Set(ids).size} id(s) more than once`);
    const foreign = ids.filter((id) => !asked.has(id));
    if (foreign.length > 0) wrong.push(`I1: ${name} has rows that nobody asked for: ${foreign.join(' ')}`);
    if (got.length !== wanted.length) wrong.push(`I1: ${name}: expected ${wanted.length} rows, got ${got.length}`);
    const first = got.findIndex((line, i) => line !== wanted[i]);
    if (first >= 0) wrong.push(`I2: ${name}: sorted line ${first + 1} is other than without faults:\n${got[first]}\n${wanted[first]}`);
  }
  return wrong;
}

/** Every file that a row speaks of is there, and every file that is there is what its name says. */
export function checkFiles(folder: string): string[] {
  const wrong: string[] = [];
  const there = new Set<string>();
  for (const kind of ['policies', 'forget'])
    for (const name of filesIn(folder, kind)) {
      const [digest = ''] = name.split('.');
      there.add(`${kind}/${digest}`);
      const is = createHash('sha256')
        .update(readFileSync(join(folder, kind, name)))
        .digest('hex');
      if (is !== digest) wrong.push(`I4: ${kind}/${name} has the digest ${is}`);
    }
  for (const line of [...linesOf(folder, 'bases.jsonl'), ...linesOf(folder, 'trials.jsonl')]) {
    const row = JSON.parse(line) as BaseRow | TrialRow;
    for (const [kind, digest] of filesOf(row)) if (!there.has(`${kind}/${digest}`)) wrong.push(`I4: ${row.id}: no ${kind}/${digest}`);
  }
  return wrong;
}

/** What processes said that they never should have, what work was done for nothing, and how large workers became. */
export function checkSite(site: Site, jobs: number): string[] {
  const wrong: string[] = [];
  for (const [name, text] of site.logs) {
    if (/determinism alarm/.test(text)) wrong.push(`I3: ${name}: ${/.*determinism alarm.*/.exec(text)?.[0]}`);
    if (/this is a bug in spc|Error:/.test(text)) wrong.push(`${name}: ${text.slice(0, 2_000)}`);
  }
  const ratio = site.finished.size / jobs;
  if (ratio > MOST_EXECUTIONS) wrong.push(`I5: expected at most ${MOST_EXECUTIONS} executions per job, got ${ratio.toFixed(3)}`);
  if (site.growthMb > MOST_GROWTH_MB) wrong.push(`I8: expected workers to grow by at most ${MOST_GROWTH_MB} MB, got ${site.growthMb}`);
  return wrong;
}

const idOf = (line: string): string => (JSON.parse(line) as { id: string }).id;
