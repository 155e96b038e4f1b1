import type { Files } from '../../src/bus/bus.ts';
import { LocalBus } from '../../src/bus/local.ts';
import { describeBus } from './conformance.ts';

const noFiles: Files = {
  put: () => Promise.reject(new Error('no files here')),
  get: () => Promise.reject(new Error('no files here')),
  has: () => Promise.resolve(false),
};

describeBus('LocalBus', 60, async () => {
  const bus = new LocalBus(noFiles, { leaseMs: 60 });
  return { coordinator: bus, agent: bus, close: () => bus.close() };
});
