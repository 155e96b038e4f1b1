import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One folder for everything that tests leave behind, and none of it after them. */
export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'spc-test-'));
  process.env['TMPDIR'] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
