/** The machine does not do its part: a full disk, a file that was altered, a process that does not start. Its owner must act; there is no bug to report. */
export class HostError extends Error {
  override readonly name = 'HostError';
}
