/**
 * Errors are sorted by who must act. `ConfigError`: the author of the file or the command (exit code 2).
 * `DivergedError` and `RefusedError`: findings, recorded as a `Failure` row; `MemoryError`: a limit, recorded and run again. Anything else is a bug, recorded with its stack.
 */

/** `where: expected X, got Y; remedy`. Several problems of one file are reported at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** A number left the finite ones. */
export class DivergedError extends Error {
  override readonly name = 'DivergedError';
}

/** The base or the forget set is not what the method needs; the message has the numbers. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** What was asked for does not fit into memory: a limit, and no finding about the policy. */
export class MemoryError extends Error {
  override readonly name = 'MemoryError';
}

/** Somebody asked the work to stop. */
export class AbortedError extends Error {
  override readonly name = 'AbortedError';
}

/** Bytes are not where a row says they are, or are not what their name says. Who wrote the row, or who keeps the bytes, is at fault. */
export class ContentError extends Error {
  override readonly name = 'ContentError';
  /** The bytes are there and are others: no loss explains that. */
  readonly forged: boolean;
  /** Nothing of it is there, and that is nobody's fault. */
  readonly lost: boolean;

  constructor(message: string, forged: boolean, lost = false) {
    super(message);
    this.forged = forged;
    this.lost = lost;
  }
}

/** The network or the broker did not do its part for as long as was tried. Nothing is lost: the same command goes on. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
}
