import type { GuestInstance } from "../hypervisor/hypervisor.ts";

/** Whether a guest runs, and since when (monotonic, ms) it has stood; null where its stop was not seen. */
export interface SeenRunState {
  isRunning: boolean;
  stoppedMs: number | null;
}

/** What the hypervisors' events tell about the guests here, so that nobody has to be asked. */
export class RunStates {
  readonly #states = new Map<string, SeenRunState>();
  readonly #instances = new Map<string, GuestInstance>();

  /** Follows a guest's process until it ends, or another one takes its place. */
  follow(instance: GuestInstance): void {
    const { guest } = instance;
    this.#instances.set(guest, instance);
    this.#states.delete(guest);
    const isCurrent = () => this.#instances.get(guest) === instance;
    const see = (state: SeenRunState) => {
      if (isCurrent()) this.#states.set(guest, state);
    };
    // Called while the guest stands: takes note, no more.
    instance.onEvent(({ name, receivedMs }) => {
      if (name === "STOP") see({ isRunning: false, stoppedMs: receivedMs });
      else if (name === "RESUME") see({ isRunning: true, stoppedMs: null });
    });
    void instance.runState().then(
      (state) => {
        if (!this.#states.has(guest)) see({ isRunning: state === "running", stoppedMs: null });
      },
      () => {},
    );
    void instance.ended.then(() => {
      if (!isCurrent()) return;
      this.#instances.delete(guest);
      this.#states.delete(guest);
    });
  }

  /** Undefined for a guest without a process here, or one that has said nothing yet. */
  get(guest: string): SeenRunState | undefined {
    return this.#states.get(guest);
  }
}
