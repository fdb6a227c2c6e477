import type { GuestEvent, GuestInstance } from "../../../src/hypervisor/hypervisor.ts";
import { Afterwards } from "../../../src/migrator/afterwards.ts";
import type { GateEvent } from "../../../src/migrator/events.ts";
import type { GatePoint, GateQuestion, Gates, PlannedGate } from "../../../src/migrator/gates.ts";
import { initialFacts } from "../../../src/migrator/initial-facts.ts";
import type { MigrationFacts, SourceContext } from "../../../src/migrator/source-context.ts";
import { Timeline } from "../../../src/migrator/timeline.ts";
import { monotonicMs } from "../../../src/platform/clock.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { hostA, recordOf } from "./support.ts";

/** Gates that wait for the test's word. */
export class OpenGates implements Gates {
  readonly asked: GateQuestion[] = [];
  readonly #points: readonly GatePoint[];
  #word = Promise.withResolvers<void>();

  constructor(...points: GatePoint[]) {
    this.#points = points;
  }

  concerns(point: GatePoint): boolean {
    return this.#points.includes(point);
  }

  of(): PlannedGate[] {
    return [{ gate: "board", points: [...this.#points] }];
  }

  async ask(question: GateQuestion, _signal: AbortSignal, tell: Parameters<Gates["ask"]>[2]) {
    this.asked.push(question);
    const note = { gate: "board", answered: true, reason: null, waitedMs: 0 };
    tell({ ...note, answered: false, decision: "asked" });
    await this.#word.promise;
    tell({ ...note, decision: "allow", waitedMs: 5 });
  }

  allow(): void {
    this.#word.resolve();
  }

  deny(error: Error): void {
    this.#word.reject(error);
  }
}

/** A QEMU whose stream is under way, as far as a gate's waiting looks at it. */
export class StreamingGuest {
  readonly guest = "web1";
  readonly ended: Promise<void> = new Promise(() => {});
  status = "active";
  state = "running";
  remainingBytes = 1024 * 1024;
  dirtySyncCount = 3;
  /** Bytes that go out between two looks. */
  #moves = 2 ** 20;
  bandwidths: number[] = [];
  cancelled = 0;
  #transferred = 0;
  readonly #listeners = new Set<(event: GuestEvent) => void>();

  async migrationProgress() {
    this.#transferred += this.#moves;
    const { status, remainingBytes, dirtySyncCount } = this;
    const figures = { totalBytes: 2 ** 27, dirtyBytesPerSecond: 0, bandwidthMbps: 1000 };
    const progress = { status, remainingBytes, dirtySyncCount, ...figures, errorText: null };
    return { ...progress, transferredBytes: this.#transferred };
  }

  async setOutgoingParameters(parameters: { maxBandwidthBytesPerSecond?: number }) {
    this.bandwidths.push(parameters.maxBandwidthBytesPerSecond ?? -1);
  }

  async cancelMigration() {
    this.cancelled += 1;
    this.status = "cancelled";
    this.state = "running";
  }

  runState = async () => this.state;
  isAlive = () => true;

  onEvent(listener: (event: GuestEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The stream's status changes, with QEMU's word about it. */
  become(status: string, state = this.state): void {
    this.status = status;
    this.state = state;
    this.tell({ name: "MIGRATION", data: { status } });
  }

  standStill(): void {
    this.#moves = 0;
  }

  /** A new pass begins with so much to send. */
  pass(remainingBytes: number): void {
    this.dirtySyncCount += 1;
    this.remainingBytes = remainingBytes;
    this.tell({ name: "MIGRATION_PASS", data: { pass: this.dirtySyncCount } });
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  tell({ name, data = {} }: { name: string; data?: Record<string, unknown> }): void {
    const receivedMs = monotonicMs();
    for (const listener of [...this.#listeners]) {
      listener({ name, data, timestampMs: Number.NaN, receivedMs });
    }
  }
}

/** What a migration of `guest` works with; `calls` are the destination's, `told` what followers hear of gates. */
export function gateContext(gates: Gates, guest: StreamingGuest) {
  const calls: string[] = [];
  const told: GateEvent[] = [];
  const peer = () => ({
    peer: "host-b",
    call: async (name: string) => {
      calls.push(name);
      return { migration_port: 4711, state: "incoming", wall_clock_ms: 0 };
    },
  });
  const context = {
    ...{ host: hostA, gates, peer, logger: createLogger("silent") },
    policy: { downtimeLimitMs: 300, maxBandwidthBytesPerSecond: 0, minimumPasses: 2 },
    journal: { has: () => false },
    network: { routing: { disarm: async () => {}, linkCounters: async () => null } },
    // Nothing is counted, so that nothing is shared.
    shares: { look: async () => null, join: async () => null },
  } as unknown as SourceContext;
  const facts: MigrationFacts = initialFacts({
    instance: guest as unknown as GuestInstance,
    before: recordOf("web1", 10),
    resume: true,
    timeline: new Timeline(() => {}),
    afterwards: new Afterwards(),
    onProgress: () => {},
    onGate: (event) => told.push(event),
  });
  return { context, facts, calls, told };
}
