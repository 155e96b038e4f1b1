import { cpus } from 'node:os';

/** The model of this machine's processor: what provenance keeps of it, and what a rerun compares. */
export const PROCESSOR = cpus()[0]?.model ?? 'unknown';
