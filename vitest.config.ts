import { defineConfig } from 'vitest/config';

/** `fast` is `npm test` (under a minute); `slow` holds learning curves with a stated threshold and short drills; `drill` is `npm run drill`. */
export default defineConfig({
  test: {
    globalSetup: 'test/setup.ts',
    projects: [
      { test: { name: 'fast', include: ['test/**/*.test.ts'], exclude: ['test/**/*.{slow,drill}.test.ts'], testTimeout: 30_000 } },
      { test: { name: 'slow', include: ['test/**/*.slow.test.ts'], testTimeout: 1_800_000 } },
      { test: { name: 'drill', include: ['test/**/*.drill.test.ts'], testTimeout: 1_800_000 } },
    ],
  },
});
