/** A trial on its way: what is left of it in ms, 0 for one that is done; and the same of its base, which trials share. */
export interface Task {
  readonly ms: number;
  readonly base: { readonly ms: number };
}

/** Beyond, order hardly matters: the sum by threads is as good, and a schedule of 100,000 jobs would take longer than people wait. */
const PLAYED = 20_000;

/**
 * How long tasks take on so many threads, if the schedule hands them out as it does (schedule.ts): in their order, a base before its trials,
 * trials whose base has come before later bases, and no more than one job in reserve.
 */
export function makespan(tasks: readonly Task[], threads: number): number {
  return tasks.length > PLAYED ? bound(tasks, threads) : played(tasks, threads);
}

/** The sum by threads, and never less than the longest base and, after it, the longest trial. */
function bound(tasks: readonly Task[], threads: number): number {
  let [sum, longestBase, longestTrial] = [0, 0, 0];
  for (const base of new Set(tasks.map((task) => task.base))) {
    sum += base.ms;
    longestBase = Math.max(longestBase, base.ms);
  }
  for (const { ms } of tasks) {
    sum += ms;
    longestTrial = Math.max(longestTrial, ms);
  }
  return Math.max(sum / threads, longestBase + longestTrial);
}

interface Job {
  readonly ms: number;
  /** What it trains; null for a trial. */
  readonly base: object | null;
}

function played(tasks: readonly Task[], threads: number): number {
  const [running, reserve]: [{ end: number; job: Job }[], Job[]] = [[], []];
  const waiting = new Map<object, number[]>(tasks.flatMap(({ base }) => (base.ms > 0 ? [[base, []]] : [])));
  const offered = new Set<object>();
  let ready: number[] = [];
  let [cursor, now] = [0, 0];
  for (;;) {
    while (running.length + reserve.length <= threads) {
      const index = ready.shift() ?? cursor++;
      const task = tasks[index];
      if (!task) break;
      const siblings = waiting.get(task.base);
      if (siblings === undefined) {
        if (task.ms > 0) reserve.push({ ms: task.ms, base: null });
        continue;
      }
      if (task.ms > 0) siblings.push(index);
      if (offered.has(task.base)) continue;
      offered.add(task.base);
      reserve.push({ ms: task.base.ms, base: task.base });
    }
    while (running.length < threads && reserve.length > 0) {
      const job = reserve.shift() as Job;
      const end = now + job.ms;
      const at = running.findIndex((other) => other.end > end);
      running.splice(at < 0 ? running.length : at, 0, { end, job });
    }
    const next = running.shift();
    if (next === undefined) return now;
    now = next.end;
    const { base } = next.job;
    if (base === null) continue;
    ready = [...ready, ...(waiting.get(base) ?? [])].sort((a, b) => a - b);
    waiting.delete(base);
  }
}
