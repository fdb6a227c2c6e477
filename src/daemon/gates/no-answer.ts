/** A gate was asked and has not decided. */
export class NoAnswer extends Error {
  /** Whether it is worth asking again at once: it was not there, or not well. */
  readonly isPassing: boolean;

  constructor(message: string, options: { isPassing?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.isPassing = options.isPassing ?? false;
  }
}
