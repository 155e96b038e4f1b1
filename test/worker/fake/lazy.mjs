// Never finishes loading when a file tells it so; the file is gone then, so the next thread is well again.
import { existsSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeThread } from '../../../dist/worker/executor/perform.js';
import { makeEngine, runTrial, trainBase } from './jobs.mjs';

const marker = join(tmpdir(), `spc-lazy-${process.ppid}`);
if (existsSync(marker)) {
  unlinkSync(marker);
  setInterval(() => {}, 1000);
  await new Promise(() => {});
}

export default makeThread({ makeEngine, trainBase, runTrial });
