import { expect, it } from "vitest";
import type { GuestEvent } from "../../../src/hypervisor/hypervisor.ts";
import {
  FlowCarrier,
  type FlowCarrierOptions,
  flowsPerMessage,
} from "../../../src/migrator/flow-carrier.ts";
import type { CarriedFlow } from "../../../src/migrator/flow-procedures.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { createLogger } from "../../../src/platform/log.ts";
import type { GuestFlow } from "../../../src/routing/flows/flow-table.ts";

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

it("carries all, then what is new or has changed, and never the same twice", async () => {
  const bed = new Bed([tcp(1), tcp(2), tcp(3, { state: "TIME_WAIT" })]);
  bed.carrier.begin();
  bed.carrier.begin();
  await bed.carrier.complete();
  expect(bed.sentPorts()).toEqual([[1, 2]]);

  bed.flows = [tcp(1), tcp(2, { state: "FIN_WAIT" }), tcp(4), udp(53)];
  bed.carrier.begin();
  await bed.carrier.complete();
  expect(bed.sentPorts()).toEqual([
    [1, 2],
    [2, 4, 53],
  ]);
  expect(bed.carrier.report).toMatchObject({ established: 4, survived: null, carried: 4 });
  expect(bed.carrier.progress).toEqual({ carried: 4, total: 4 });
});

it("sends half-open flows only with the difference: they may be established by then", async () => {
  const bed = new Bed([tcp(1, { state: "SYN_SENT", replied: false })]);
  bed.carrier.begin();
  await nextTurn();
  expect(bed.sent).toEqual([]);
  await bed.carrier.complete();
  expect(bed.sentPorts()).toEqual([[1]]);
  expect(bed.carrier.report?.established).toBe(0);
});

it("splits what is more than goes into one message", async () => {
  const bed = new Bed(Array.from({ length: 2 * flowsPerMessage + 1 }, (_, port) => tcp(port)));
  bed.carrier.begin();
  await bed.carrier.complete();
  expect(bed.sent.map(({ length }) => length)).toEqual([flowsPerMessage, flowsPerMessage, 1]);
});

it("neither reads nor sends while the guest stands", async () => {
  const bed = new Bed(Array.from({ length: flowsPerMessage + 1 }, (_, port) => tcp(port)));
  bed.onSend = () => bed.tell("STOP");
  bed.carrier.begin();
  const completed = bed.carrier.complete();
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  expect(bed.sent).toHaveLength(1);
  expect(bed.reads).toBe(1);
  bed.onSend = () => {};
  bed.tell("RESUME");
  await completed;
  expect(bed.sent).toHaveLength(2);
  expect(bed.reads).toBe(2);
});

it("goes on once the guest runs at its destination, and counts who has survived", async () => {
  const bed = new Bed([tcp(1), tcp(2), tcp(3)]);
  bed.carrier.begin();
  await bed.carrier.complete();
  bed.tell("STOP");
  bed.flows = [tcp(1), tcp(2, { state: "CLOSE" }), tcp(9)];
  await bed.carrier.carryLast();
  await bed.carrier.conclude();
  expect(bed.sentPorts()).toEqual([[1, 2, 3], [9]]);
  expect(bed.carrier.report).toMatchObject({ established: 3, survived: 2, carried: 4 });
  expect(bed.carrier.isNeeded).toBe(false);
});

it("counts as established what was so before the guest was stopped, also where nobody waited for the last look", async () => {
  const bed = new Bed([tcp(1), tcp(2)]);
  bed.carrier.begin();
  await bed.carrier.settled();
  bed.tell("STOP");
  bed.carrier.refresh();
  bed.carrier.refresh();
  bed.flows = [tcp(1), tcp(2, { state: "CLOSE" }), tcp(9)];
  await bed.carrier.conclude();
  expect(bed.carrier.report).toMatchObject({ established: 2, survived: 1 });
  expect(bed.reads).toBe(3);
});

it("asks the destination who was reset where this host does not see it", async () => {
  const bed = new Bed([tcp(1), tcp(2), tcp(3)], {
    askReset: async () => [tcp(3, { state: "CLOSE" }), tcp(77, { state: "CLOSE" })],
  });
  bed.carrier.begin();
  await bed.carrier.complete();
  await bed.carrier.conclude();
  expect(bed.carrier.report?.survived).toBe(2);
});

it("does not say how many have survived when that could not be read", async () => {
  const bed = new Bed([tcp(1)]);
  bed.carrier.begin();
  await bed.carrier.complete();
  bed.failsToRead = true;
  await bed.carrier.conclude();
  expect(bed.carrier.report).toMatchObject({ established: 1, survived: null });
});

it("sends with the difference what could not be sent before, and says why it cannot", async () => {
  const bed = new Bed([tcp(1)]);
  bed.onSend = () => {
    throw new SojournError("SOJ_PEER_UNREACHABLE", "gone");
  };
  bed.carrier.begin();
  await bed.carrier.complete();
  expect(bed.carrier.failure).toMatchObject({ code: "SOJ_PEER_UNREACHABLE" });
  expect(bed.carrier.report).not.toHaveProperty("carried");
  bed.onSend = () => {};
  await bed.carrier.complete();
  expect(bed.carrier.failure).toBeNull();
  expect(bed.carrier.report?.carried).toBe(1);
});

it("asks a destination of an older release once, and counts all the same", async () => {
  const bed = new Bed([tcp(1), tcp(2)]);
  let asked = 0;
  bed.onSend = () => {
    asked += 1;
    throw new SojournError("SOJ_UNKNOWN_PROCEDURE", "there is no procedure carry-flows");
  };
  bed.carrier.begin();
  await bed.carrier.complete();
  await bed.carrier.conclude();
  expect(asked).toBe(1);
  expect(bed.carrier.failure).toMatchObject({ code: "SOJ_UNKNOWN_PROCEDURE" });
  expect(bed.carrier.report).toMatchObject({ established: 2, survived: 2 });
});

it("counts what the destination refuses", async () => {
  const bed = new Bed([tcp(1), tcp(2), tcp(3)]);
  bed.answer = { installed: 1, present: 0, refused: { ENOMEM: 2 } };
  bed.carrier.begin();
  await bed.carrier.complete();
  expect(bed.carrier.report).toMatchObject({ carried: 1, refused: { ENOMEM: 2 } });
});

it("reports nothing where this host tracks nothing, or when the guest was never about to be stopped", async () => {
  const bed = new Bed(null);
  expect(bed.carrier.isNeeded).toBe(false);
  bed.carrier.begin();
  await bed.carrier.complete();
  await bed.carrier.conclude();
  expect(bed.carrier.isUntracked).toBe(true);
  expect(bed.carrier.report).toBeNull();
});

it("stops at once: what waits goes no further, and nothing is told as a failure", async () => {
  const bed = new Bed(Array.from({ length: flowsPerMessage + 1 }, (_, port) => tcp(port)));
  bed.onSend = () => bed.carrier.stop();
  bed.carrier.begin();
  await bed.carrier.complete();
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  expect(bed.sent).toHaveLength(1);
  expect(bed.carrier.failure).toBeNull();
  bed.carrier.begin();
  await bed.carrier.complete();
  expect(bed.reads).toBe(1);
});

class Bed {
  readonly carrier: FlowCarrier;
  readonly sent: CarriedFlow[][] = [];
  flows: GuestFlow[] | null;
  reads = 0;
  failsToRead = false;
  answer: { installed: number; present: number; refused: Record<string, number> } | null = null;
  onSend: () => void = () => {};
  readonly #listeners = new Set<(event: GuestEvent) => void>();

  constructor(flows: GuestFlow[] | null, options: Partial<FlowCarrierOptions> = {}) {
    this.flows = flows;
    this.carrier = new FlowCarrier({
      read: async () => {
        this.reads += 1;
        if (this.failsToRead) throw new Error("no buffer space");
        return this.flows;
      },
      send: async (some) => {
        this.onSend();
        this.sent.push(some);
        return this.answer ?? { installed: some.length, present: 0, refused: {} };
      },
      askReset: null,
      instance: {
        onEvent: (listener) => {
          this.#listeners.add(listener);
          return () => this.#listeners.delete(listener);
        },
      },
      logger: createLogger("silent"),
      ...options,
    });
  }

  tell(name: "STOP" | "RESUME"): void {
    for (const listener of this.#listeners) {
      listener({ name, data: {}, timestampMs: 0, receivedMs: 0 });
    }
  }

  sentPorts(): (number | null)[][] {
    return this.sent.map((flows) => flows.map(({ ports: [port] }) => port));
  }
}

function tcp(peerPort: number, changes: Partial<GuestFlow> = {}): GuestFlow {
  return {
    ...{ protocol: 6, direction: "in", peer: "192.0.2.2", peerPort, guestPort: 7, icmp: null },
    ...{ state: "ESTABLISHED", replied: true, assured: true, timeoutS: 432_000 },
    windowScale: { original: 7, reply: 7 },
    ...changes,
  };
}

function udp(peerPort: number): GuestFlow {
  return tcp(peerPort, { protocol: 17, state: null, windowScale: null });
}
