import { startTimer } from "../../platform/clock.ts";
import { AsyncLock } from "../../platform/lock.ts";
import type { TrackedFlow } from "../../routing/flows/parse.ts";
import { CalmReader } from "./calm-reader.ts";
import { flowSummary } from "./flows.ts";
import type { FlowSummary } from "./schemas.ts";

export interface FlowListsOptions {
  hostName: string;
  /** @throws SojournError `SOJ_GUEST_UNKNOWN`. */
  addressesOf: (guest: string) => readonly string[];
  readFlows: (address: string) => Promise<TrackedFlow[]>;
  isGuestStanding: () => boolean;
}

/** Readers share a list for so long (ms). */
const goodForMs = 1_000;
/** A list may be long: none is kept for much longer than it is good. */
const forgottenAfterMs = 5_000;

/** The flows of guests, read from the kernel for one of them at a time. */
export class FlowLists {
  readonly #options: FlowListsOptions;
  readonly #lock = new AsyncLock();
  readonly #readers = new Map<string, CalmReader<FlowSummary[]>>();

  constructor(options: FlowListsOptions) {
    this.#options = options;
  }

  /** By their ids. @throws SojournError as `addressesOf`, `readFlows`, and `SOJ_SWITCHOVER`. */
  async of(guest: string): Promise<FlowSummary[]> {
    this.#options.addressesOf(guest);
    return await (this.#readers.get(guest) ?? this.#begin(guest)).get();
  }

  #begin(guest: string): CalmReader<FlowSummary[]> {
    const { isGuestStanding } = this.#options;
    const read = () => this.#lock.run(() => this.#read(guest));
    const reader = new CalmReader(read, { goodForMs, isGuestStanding });
    this.#readers.set(guest, reader);
    startTimer(() => this.#readers.delete(guest), forgottenAfterMs, false);
    return reader;
  }

  async #read(guest: string): Promise<FlowSummary[]> {
    const { hostName: host, addressesOf, readFlows } = this.#options;
    // One between two addresses of the guest is found twice.
    const flows = new Map<string, FlowSummary>();
    for (const address of addressesOf(guest)) {
      const tracked = await readFlows(address);
      for (const flow of tracked) flows.set(flow.id, flowSummary({ guest, host, address }, flow));
    }
    return [...flows.values()].sort((left, right) => (left.id < right.id ? -1 : 1));
  }
}
