/**
 * Holds our reader of safetensors against verdicts of the reference implementation: `npm run build`, then
 *   node tools/safetensors-verdicts.mjs FILE...     of tools/record_safetensors.py; exit code 1 where one differs
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const { readTensors } = await import('../dist/math/safetensors.js');
const { decodePolicy } = await import('../dist/ppo/policy.js');

/** What is said of bytes: undefined where they are taken. */
function refusal(read, bytes) {
  try {
    read(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

for (const path of process.argv.slice(2)) {
  const { recorded, files } = JSON.parse(gunzipSync(readFileSync(path)).toString('utf8'));
  let [different, taken] = [0, 0];
  for (const { what, bytes, refused, policy } of files) {
    const content = Buffer.from(bytes, 'base64');
    const [file, base] = [refusal(readTensors, content), refusal(decodePolicy, content)];
    if (refused === null) taken++;
    if ((file === undefined) === (refused === null) && (base === undefined) === policy) continue;
    different++;
    console.log(
      `${what}: reference ${refused ?? 'takes it'}; ours ${file ?? 'takes it'}; policy ${policy}, ours ${base ?? true}\n  ${bytes.slice(0, 200)}`,
    );
    process.exitCode = 1;
  }
  console.log(`${path}: safetensors ${recorded.safetensors}, ${files.length} files, ${taken} taken, ${different} verdicts differ`);
}
