import { SojournError } from "../platform/errors.ts";
import { LoopWatch } from "../platform/loop-watch.ts";
import type { MigrationTask, SourceContext } from "./source-context.ts";

/** The destination's written abort of this migration: the guest is the source's again. */
export class DestinationAborted extends SojournError {
  constructor(destination: string) {
    super("SOJ_DESTINATION_ABORTED", `${destination} has given the migration up`, {
      retryable: true,
      hint: `see the daemon's log on ${destination}`,
    });
  }
}

/** How long the answer may take while the guest runs, and while it stands. */
const [patienceMs, standingPatienceMs] = [800, 300];

/**
 * Before an effect: when this process has stood still since the last one, what it knows of the destination is old,
 * which may have given the migration up and begun another. Then the destination is asked again; otherwise nothing is.
 */
export class StallGuard implements Disposable {
  readonly #context: Pick<SourceContext, "peer" | "logger">;
  readonly #task: MigrationTask;
  readonly #watch: LoopWatch;
  #known = 0;

  constructor(
    context: Pick<SourceContext, "peer" | "logger">,
    task: MigrationTask,
    watch = new LoopWatch(),
  ) {
    this.#context = context;
    this.#task = task;
    this.#watch = watch;
  }

  /** The destination is asked anyway. */
  forget(): void {
    this.#hasStood();
  }

  /** Before the guest is stopped. @throws as `beforePromise`. */
  async beforeStop(): Promise<void> {
    await this.#confirm(patienceMs);
  }

  /**
   * Before the promise.
   * @throws SojournError when the destination no longer waits for this epoch, or does not say so at once.
   */
  async beforePromise(): Promise<void> {
    await this.#confirm(standingPatienceMs);
  }

  /**
   * After the promise: its silence changes nothing then.
   * @throws DestinationAborted when the destination has aborted in writing.
   */
  async afterPromise(): Promise<void> {
    if (!this.#hasStood()) return;
    const state = await this.#ask(standingPatienceMs).catch(() => null);
    if (state === "aborted") throw new DestinationAborted(this.#task.to);
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  async #confirm(timeoutMs: number): Promise<void> {
    if (!this.#hasStood()) return;
    const state = await this.#ask(timeoutMs);
    if (state === "incoming") return;
    throw new SojournError(
      "SOJ_DESTINATION_ABORTED",
      `this host's daemon stood still, and ${this.#task.to} is ${state} since`,
      { retryable: true, hint: `see the daemon's log on ${this.#task.to}` },
    );
  }

  #hasStood(): boolean {
    const { standstills } = this.#watch;
    const stood = standstills > this.#known;
    this.#known = standstills;
    return stood;
  }

  async #ask(timeoutMs: number): Promise<string> {
    const { id, guest, epoch, to } = this.#task;
    this.#context.logger.warn(
      { migration: id, guest },
      "stood still: the destination is asked again",
    );
    const question = { id, guest, epoch, wait_ms: 0 };
    return (await this.#context.peer(to).call("state", question, { timeoutMs })).state;
  }
}
