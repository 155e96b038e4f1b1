import { closeSync, fstatSync } from 'node:fs';
import { isatty } from 'node:tty';

type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';
const SIGNALS: readonly Signal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Of who was interrupted: 128 and the number of the signal. */
export const SIGNALLED: Readonly<Record<Signal, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/**
 * What comes so soon after the first signal is the same wish: npm sends on to its child what the terminal has sent to both,
 * and a terminal that closes may send several.
 */
const MOMENT_MS = 500;

/** The first signal drains, a later one leaves at once. Once a signal was heard they are heard to the end of the process. */
export function onInterrupt({ drain, leave }: { drain(): void; leave(): void }): { readonly signal: Signal | null; end(): void } {
  const state = { signal: null as Signal | null, end: () => {} };
  let first = 0;
  const heard = (signal: Signal): void => {
    if (signal === 'SIGHUP' && survivesTerminal) return;
    if (state.signal === null) {
      state.signal = signal;
      first = performance.now();
      drain();
    } else if (performance.now() - first > MOMENT_MS) {
      leave();
      process.exit(SIGNALLED[signal]);
    }
  };
  for (const signal of SIGNALS) process.on(signal, heard);
  state.end = () => {
    if (state.signal === null) for (const signal of SIGNALS) process.off(signal, heard);
  };
  return state;
}

const terminals = [0, 1, 2].filter((fd) => isatty(fd));

/**
 * Nobody reads or types here, as under nohup or cron: the end of a terminal is no wish. Node has taken back by now what nohup asked
 * the system for, so what nohup does besides tells: it sends what is said to a file.
 */
const survivesTerminal = terminals.length === 0 || [1, 2].every(isFile);

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}

/** For the whole life of the process, whichever command it is. */
export function outliveTerminal(): void {
  if (survivesTerminal) process.on('SIGHUP', () => {});
  // Node puts terminals back into their first state at the end, and aborts when one has gone; one that is closed it leaves alone.
  process.on('exit', () => {
    for (const fd of terminals) if (!isatty(fd)) closeSync(fd);
  });
}
