import { isSession } from "../../migrator/drain-flows.ts";
import type { FlowPath } from "../../migrator/flow-path.ts";
import { monotonicMs, startTimer, wallClockMs } from "../../platform/clock.ts";
import { inTurns } from "../../platform/in-turns.ts";
import { AsyncLock } from "../../platform/lock.ts";
import type { StateTimeouts } from "../../routing/flows/state-timeouts.ts";
import type { TrackedFlow } from "../../routing/flows/tracked-flow.ts";
import { CalmReader } from "./calm-reader.ts";
import { ListedIdleness } from "./flow-idle.ts";
import { flowSummary } from "./flows.ts";
import type { FlowQuery, FlowSummary } from "./schemas.ts";

/** An address of a guest whose flows pass this host, and which way they take. */
export interface FlowAddress {
  address: string;
  pathOf: (flow: TrackedFlow) => FlowPath;
}

export interface FlowListsOptions {
  hostName: string;
  /** @throws SojournError where the guest's flows do not pass. */
  addressesOf: (guest: string) => readonly FlowAddress[];
  readFlows: (address: string) => Promise<TrackedFlow[]>;
  readTimeouts: () => Promise<StateTimeouts>;
  /** Idle times (ms) by flow, as seen by who looks at the guest's flows all the time; null while nobody does. */
  watchedIdleMs?: (guest: string) => ReadonlyMap<string, number> | null;
  isGuestStanding: () => boolean;
}

interface Found {
  flow: TrackedFlow;
  at: FlowAddress;
}

interface Listed {
  summary: FlowSummary;
  isNeeded: boolean;
}

/** Readers share a list for so long (ms). */
const goodForMs = 1_000;
/** A list may be long: none is kept for much longer than it is good. */
const forgottenAfterMs = 5_000;

/** The flows of guests, read from the kernel for one of them at a time. */
export class FlowLists {
  readonly #options: FlowListsOptions;
  readonly #lock = new AsyncLock();
  readonly #readers = new Map<string, CalmReader<Listed[]>>();
  readonly #idleness = new ListedIdleness();

  constructor(options: FlowListsOptions) {
    this.#options = options;
  }

  /** By their ids. @throws SojournError as `addressesOf`, `readFlows`, and `SOJ_SWITCHOVER`. */
  async of(guest: string, { all = false, path }: FlowQuery = {}): Promise<FlowSummary[]> {
    this.#options.addressesOf(guest);
    const listed = await (this.#readers.get(guest) ?? this.#begin(guest)).get();
    return listed
      .filter(
        ({ summary, isNeeded }) => (all || isNeeded) && (path ?? summary.path) === summary.path,
      )
      .map(({ summary }) => summary);
  }

  #begin(guest: string): CalmReader<Listed[]> {
    const { isGuestStanding } = this.#options;
    const read = () => this.#lock.run(() => this.#read(guest));
    const reader = new CalmReader(read, { goodForMs, isGuestStanding });
    this.#readers.set(guest, reader);
    startTimer(() => this.#readers.delete(guest), forgottenAfterMs, false);
    return reader;
  }

  async #read(guest: string): Promise<Listed[]> {
    const { hostName: host, readTimeouts, watchedIdleMs } = this.#options;
    const byId = await this.#find(guest);
    const [readMs, nowMs] = [monotonicMs(), wallClockMs()];
    const timeouts = await readTimeouts();
    const flows = [...byId.values()].flatMap((found) => found.map(({ flow }) => flow));
    const listedIdleMs = await this.#idleness.note(guest, flows, timeouts, readMs);
    const watched = watchedIdleMs?.(guest);
    const idleMs = ({ id }: TrackedFlow) => watched?.get(id) ?? listedIdleMs.get(id) ?? 0;
    const listed: Listed[] = [];
    await inTurns(Uint32Array.from(byId.keys()).sort(), (number) => {
      for (const [index, { flow, at }] of (byId.get(number) ?? []).entries()) {
        const summary = flowSummary({ guest, host, ...at, idleMs, nowMs }, flow);
        if (index > 0) summary.id = `${summary.id}.${index}`;
        listed.push({ summary, isNeeded: isSession(flow) });
      }
    });
    return listed;
  }

  /** By their ids, which have 32 bits: of some ten thousand flows two may have the same. */
  async #find(guest: string): Promise<ReadonlyMap<number, Found[]>> {
    const byId = new Map<number, Found[]>();
    for (const at of this.#options.addressesOf(guest)) {
      await inTurns(await this.#options.readFlows(at.address), (flow) => {
        const found = byId.get(Number(flow.id));
        if (found === undefined) byId.set(Number(flow.id), [{ flow, at }]);
        // One between two addresses of the guest is found twice.
        else if (!found.some((one) => haveSameEnds(one.flow, flow))) found.push({ flow, at });
      });
    }
    return byId;
  }
}

function haveSameEnds({ original: one }: TrackedFlow, { original: other }: TrackedFlow): boolean {
  const keys = ["source", "sourcePort", "destination", "destinationPort"] as const;
  return keys.every((key) => one[key] === other[key]);
}
