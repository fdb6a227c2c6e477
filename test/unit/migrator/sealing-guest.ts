import type { GuestEvent } from "../../../src/hypervisor/hypervisor.ts";
import { startTimer } from "../../../src/platform/clock.ts";
import { StreamingGuest } from "./gate-support.ts";

/** A guest whose stream goes to its end by itself (`sealsStream`); in its first pass. */
export class SealingGuest extends StreamingGuest {
  readonly sealsStream = true;
  override dirtySyncCount = 1;
  stops = 0;
  offers = 0;
  /** False where nothing answers an order to stop. */
  obeys = true;

  async stop(): Promise<void> {
    this.stops += 1;
    if (!this.obeys) await new Promise(() => {});
    this.standsStill();
  }

  /** Its hypervisor, or an order, has stopped it. */
  standsStill(): void {
    if (this.state !== "running") return;
    this.state = "postmigrate";
    this.tell({ name: "STOP" });
  }

  async offerStream() {
    this.offers += 1;
    return { description: "web1", cookie: `${this.offers}` };
  }

  waitForEvent(
    description: string,
    matches: (event: GuestEvent) => boolean,
    { timeoutMs }: { timeoutMs: number },
  ): Promise<GuestEvent> {
    const { promise, resolve, reject } = Promise.withResolvers<GuestEvent>();
    const timer = startTimer(() => reject(new Error(`no ${description}`)), timeoutMs);
    const unlisten = this.onEvent((event) => {
      if (matches(event)) resolve(event);
    });
    return promise.finally(() => {
      timer.cancel();
      unlisten();
    });
  }
}
