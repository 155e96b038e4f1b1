import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it('npm run simulate: 10,000 histories, and nothing in them that must not be', async () => {
  const command = fileURLToPath(new URL('../../tools/simulate.mjs', import.meta.url));
  const { code, said } = await new Promise<{ code: number; said: string }>((resolve) => {
    const child = execFile(process.execPath, [command, '--seeds', '10000'], (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, said: stdout + stderr }),
    );
  });
  process.stderr.write(said);
  expect(code, said).toBe(0);
});
