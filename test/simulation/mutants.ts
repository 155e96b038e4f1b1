/** One place of a source file, which must be there exactly once. */
export interface Patch {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  readonly name: string;
  readonly patches: readonly Patch[];
  /** The kinds of faults that show it: without them nothing does. */
  readonly faults?: readonly string[];
}

const AGENT = 'src/bus/nats/agent.ts';
const COORDINATOR = 'src/bus/nats/coordinator.ts';
const CHECKS = 'src/coordinator/checks.ts';
const FILES = 'src/bus/nats/files.ts';
const INTAKE = 'src/coordinator/intake.ts';
const SCHEDULE = 'src/coordinator/schedule.ts';
const one = (name: string, file: string, from: string, to: string): Mutant => ({ name, patches: [{ file, from, to }] });

const seenBy = (faults: readonly string[], mutant: Mutant): Mutant => ({ ...mutant, faults });

/** Mistakes that somebody could make: the simulation must see each. */
export const mutants: readonly Mutant[] = [
  one('ack-before-compute', AGENT, 'return new NatsLease(', 'message.ack();\n      return new NatsLease('),
  one('no-ack', AGENT, 'await this.#leased.message.ackAck({ timeout: ACK_MS }).catch(() => {});', ''),
  {
    name: 'no-result-key',
    patches: [
      { file: AGENT, from: '{ expect: { streamName: RESULTS, lastSubjectSequence: 0 } }', to: '{}' },
      { file: 'src/bus/nats/streams.ts', from: '  max_msgs_per_subject: 1,\n  discard_new_per_subject: true,\n', to: '' },
      { file: INTAKE, from: 'if (store.state(kind, row.id) !== undefined) return', to: 'if (row.id === undefined) return' },
    ],
  },
  one('no-dedupe-in-the-reader', INTAKE, 'if (store.state(kind, row.id) !== undefined) return', 'if (row.id === undefined) return'),
  one('heartbeat-off', 'src/worker/agent/agent.ts', '() => void extend().catch(() => {})', '() => {}'),
  one(
    'full-is-exists',
    AGENT,
    'if (codeOf(error) !== CODE.wrongLastSequence) throw error;',
    'if (codeOf(error) !== CODE.wrongLastSequence && codeOf(error) !== CODE.notStored) throw error;',
  ),
  one(
    'empty-is-done',
    SCHEDULE,
    'const lost = asked.filter(',
    'if (there.size === 0) return this.#options.bus.close();\n    const lost = asked.filter(',
  ),
  one('stale-nak', AGENT, 'if (!this.#ours) return;\n', ''),
  one('lease-without-end', AGENT, 'this.#over ||= this.#link.clock.now() >= this.#until;', ''),
  one('audit-off', SCHEDULE, 'if (lost.length === 0 || this.#stopped) return;', 'if (lost.length >= 0) return;'),
  one(
    'ack-before-disk',
    SCHEDULE,
    'await this.#take(delivery);\n            await delivery.ack();',
    'await delivery.ack();\n            await this.#take(delivery);',
  ),
  {
    name: 'purge-by-number',
    patches: [
      {
        file: COORDINATOR,
        from: 'async #deliver({ subject, data, time }: StoredMsg)',
        to: 'async #deliver({ subject, data, time, seq }: StoredMsg)',
      },
      { file: COORDINATOR, from: 'purge(RESULTS, { filter: subject })', to: 'deleteMessage(RESULTS, seq)' },
    ],
  },
  one(
    'no-policy',
    COORDINATOR,
    'async #putPolicy(digest: string, again = false): Promise<void> {',
    'async #putPolicy(digest: string, again = false): Promise<void> {\n    if (digest) return;',
  ),
  one('new-stream-not-noticed', COORDINATOR, 'if (created !== made) next = 1;', ''),
  one('watchdog-off', COORDINATOR, 'if (now - since < 2 * this.#leaseMs) return;', 'if (now > 0) return;'),
  one('lost-files-are-fatal', INTAKE, 'if (!(error instanceof ContentError)) throw error;', 'throw error;'),
  one('row-before-files', 'src/worker/agent/agent.ts', 'await this.#store(finished);', 'void this.#store(finished).catch(() => {});'),
  one('files-not-fetched', INTAKE, 'if (!there) await store.files.put(kind, bytes);', ''),
  one('believes-the-uninvited', INTAKE, 'if (!wanted[kind].has(row.id)) {', "if (row.id === '') {"),
  seenBy(
    ['invented', 'framed'],
    one('trusts-the-uninvited', INTAKE, "why: 'nobody asked for it', forged: true", "why: 'nobody asked for it', forged: false"),
  ),
  seenBy(['late', 'narrow'], one('holds-the-late', INTAKE, 'if (store.formerly(kind, row.id)) warn(', "if (row.id === '') warn(")),
  seenBy(['framed'], {
    name: 'holds-by-name',
    patches: [
      { file: INTAKE, from: '#refuse({ kind, row }: JobResult,', to: '#refuse({ kind, row, provenance }: JobResult,' },
      {
        file: INTAKE,
        from: 'if (!lost) this.#trust.refused(from, reason, forged);',
        to: 'if (!lost) this.#trust.refused(provenance.worker ?? from, reason, forged);',
      },
      {
        file: INTAKE,
        from: 'if (from === null || (worker !== undefined && identityOf(worker) === from)) return result;',
        to: 'if (worker !== identityOf) return result;',
      },
    ],
  }),
  seenBy(['junk'], one('junk-is-fatal', COORDINATOR, 'return { from, malformed:', 'throw error;\n      return { from, malformed:')),
  seenBy(['junk'], one('junk-is-free', INTAKE, 'this.#trust.refused(from, malformed, false);', '')),
  seenBy(
    ['truncated'],
    one('truncated-is-fatal', FILES, 'if (found === null) {', "if (found === null) {\n        if (part > 0) throw new Error('truncated');"),
  ),
  seenBy(
    ['truncated'],
    one(
      'truncated-is-waited-for',
      FILES,
      'const found = await this.#retry(name, () => read(fileSubject(who, name, part)));',
      `const found = await this.#retry(name, async () => {
        const there = await read(fileSubject(who, name, part));
        if (there === null && part > 0) throw new Error('not there yet');
        return there;
      });`,
    ),
  ),
  seenBy(['truncated'], one('truncated-is-free', FILES, 'false, part === 0)', 'false, true)')),
  seenBy(['garbage'], one('files-not-judged', INTAKE, '() => judgeFile(result.row, kind, bytes)', '() => {}')),
  seenBy(['garbage'], one('garbage-is-an-accident', INTAKE, 'error.message}`, true)', 'error.message}`, false)')),
  seenBy(['forged'], one('nothing-is-checked', CHECKS, 'if (by === null || !isFinding(row)', 'if (by !== null || !isFinding(row)')),
  seenBy(['forged'], one('trials-of-a-forged-base-stay', CHECKS, "('base' in row && gone.base.has(row.base))", 'row.id === undefined')),
  seenBy(['forged'], one('a-check-is-the-job', COORDINATOR, '.filter((id) => this.#checks.has(id))', '')),
  seenBy(
    ['forged'],
    one('counts-the-unwanted', SCHEDULE, 'if (this.#wanted[result.kind].has(result.row.id)) this.#count(', 'this.#count('),
  ),
  seenBy(
    ['forged'],
    one('watchdog-off-for-checks', COORDINATOR, 'for (const who of this.#checkers) {', 'for (const who of [] as string[]) {'),
  ),
  one('no-second-try', 'src/bus/nats/link.ts', 'if (isOurs(error)) throw error;', 'throw error;'),
];
