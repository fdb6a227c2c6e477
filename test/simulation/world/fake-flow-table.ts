import { preconditionError, SojournError } from "../../../src/platform/errors.ts";
import { redirectMark } from "../../../src/routing/desired.ts";
import type { FlowTable, GuestFlow } from "../../../src/routing/flows/flow-table.ts";
import type { TrackedFlow } from "../../../src/routing/flows/tracked-flow.ts";
import type { Random } from "./random.ts";

/** What a daemon's connection tracking may do: takes time, may fail, ends with the daemon. */
export interface FlowDoor {
  pause(delayMs: number): Promise<void>;
  /** Whether the next operation fails. */
  fails(): boolean;
  random: Random;
}

/** What the kernel of a host tracks of the one guest; it outlives the host's daemons. */
export class FakeFlows {
  /** False where nothing is tracked. */
  isTracking = false;
  readonly entries = new Map<string, TrackedFlow>();
  /** A daemon was not let do what it wanted, or its host was rebooted: something may be left, or missing. */
  hasFailed = false;
  #nextId = 1;

  /** A session between a peer and the guest's port 7. */
  begin(peer: string, peerPort: number, mark = 0): void {
    const key = `${peer}:${peerPort}`;
    if (this.entries.has(key)) return;
    const [guest, port] = ["10.1.0.10", 7];
    const rest = { icmp: null, packets: null, bytes: null };
    const original = { ...rest, source: peer, sourcePort: peerPort };
    const reply = { ...rest, source: guest, sourcePort: port };
    this.entries.set(key, {
      ...{ id: `${this.#nextId++}`, protocol: 6, expiresS: 432_000, state: "ESTABLISHED", mark },
      original: { ...original, destination: guest, destinationPort: port },
      reply: { ...reply, destination: peer, destinationPort: peerPort },
      ...{ replied: true, assured: true, expected: false, zone: 0, startedMs: null },
      ...{ windowScale: null, verificationTags: null },
    });
  }

  /** A reboot. */
  clear(): void {
    this.entries.clear();
    this.hasFailed = true;
  }
}

export function fakeFlowTable(flows: FakeFlows, door: FlowDoor): FlowTable {
  const operation = async (name: string) => {
    await door.pause(door.random.between(0.1, door.random.chance(0.05) ? 400 : 8));
    if (!door.fails()) return;
    flows.hasFailed = true;
    throw new SojournError("SOJ_NETLINK_FAILED", `${name} failed`, { retryable: true });
  };
  return {
    isTracking: async () => flows.isTracking,
    read: async () => {
      if (!flows.isTracking) throw preconditionError("SOJ_FLOWS_UNTRACKED", "nothing is tracked");
      await operation("read");
      return [...flows.entries.values()];
    },
    install: async (_address, wanted, { redirected }) => {
      await operation("install");
      const before = flows.entries.size;
      for (const flow of wanted) install(flows, flow, redirected);
      const installed = flows.entries.size - before;
      return { installed, present: wanted.length - installed, refused: {} };
    },
    forget: async (unwanted) => {
      await operation("forget");
      const gone = unwanted.filter(({ original: { source, sourcePort } }) =>
        flows.entries.delete(`${source}:${sourcePort}`),
      );
      return gone.length;
    },
    [Symbol.dispose]: () => {},
  };
}

function install(flows: FakeFlows, { peer, peerPort }: GuestFlow, redirected: boolean): void {
  flows.begin(peer, peerPort ?? 0, redirected ? redirectMark : 0);
}
