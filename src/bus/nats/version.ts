/** What this client can work with at all: its pull requests need it. */
const LEAST = '2.9.4';

/** Compares dotted numbers, as far as both have them; `2.12.0-RC.1` counts as 2.12.0. */
export function isOlder(version: string, than: string): boolean {
  const numbers = (text: string): number[] => text.split('-', 1).join('').split('.').map(Number);
  const [a, b] = [numbers(version), numbers(than)];
  for (const [i, wanted] of b.entries()) if ((a[i] ?? 0) !== wanted) return (a[i] ?? 0) < wanted;
  return false;
}

export const isVersion = (text: string): boolean => /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(text);

const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|\[?::1\]?)$/i;

/** Whether a host's name can only mean this machine. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

/** What a server of this version may be used for: `refused` says why not at all, `warning` what is wrong with it. */
export interface Verdict {
  readonly refused: string | null;
  readonly warning: string | null;
}

/**
 * Below 2.9.4 pull requests do not work; 2.9 redelivers what was acknowledged before a crash; up to 2.10.22 a crash could delete
 * whole streams (nats-server issue 6888); before 2.12.7 and 2.14 there are known vulnerabilities, which matter where others can connect.
 */
export function judgeVersion(version: string, loopback: boolean): Verdict {
  const is = `nats-server ${version}`;
  const refused = (why: string): Verdict => ({ refused: `${is}: ${why}`, warning: null });
  const warning = (why: string | null): Verdict => ({ refused: null, warning: why && `${is}: ${why}` });
  if (!isVersion(version)) return refused(`expected a version such as 2.15.2`);
  if (isOlder(version, LEAST)) return refused(`expected ${LEAST} or later; install a current one`);
  if (isOlder(version, '2.10.23')) {
    const why = 'may lose what it stored when it crashes; results are safe, some will be computed twice';
    return loopback ? warning(why) : refused(`${why}; expected 2.10.23 or later beyond loopback`);
  }
  const vulnerable = isOlder(version, '2.12.7') || (!isOlder(version, '2.13.0') && isOlder(version, '2.14.0'));
  return warning(!loopback && vulnerable ? 'has known vulnerabilities; 2.14 or later is better where others can connect' : null);
}
