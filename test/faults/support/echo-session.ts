import { expect } from "vitest";
import { labNodePrefix } from "../../../src/lab/index.ts";
import { monotonicMs } from "../../../src/platform/clock.ts";
import { type Prober, startProber } from "../../../src/probe/prober.ts";

/** An echo session from the lab's client to a guest, which must outlive what is done to the hosts. */
export class EchoSession implements AsyncDisposable {
  readonly #lab: string;
  readonly #guestAddress: string;
  #prober: Prober | null = null;

  constructor(lab: string, guestAddress: string) {
    this.#lab = lab;
    this.#guestAddress = guestAddress;
  }

  /** Opens it, instead of an earlier one; `patienceMs` for a guest that is booting. */
  async open(patienceMs: number): Promise<void> {
    await this[Symbol.asyncDispose]();
    const deadlineMs = monotonicMs() + patienceMs;
    while (this.#prober === null) {
      this.#prober = await this.#start().catch((error: unknown) => {
        if (monotonicMs() > deadlineMs) throw error;
        return null;
      });
    }
  }

  /**
   * It is whole, in order, and answers after everything that happened; after a long hole only when TCP next tries
   * (RFC 6298: its timer doubles).
   */
  async expectAlive(withinMs: number): Promise<void> {
    const prober = this.#prober;
    if (prober === null) throw new Error("no session was opened");
    const answers = () => {
      const series = prober.snapshot();
      return series.kind === "tcp-echo" ? series.receivedMs.length : 0;
    };
    const known = answers();
    await expect.poll(answers, { timeout: withinMs, interval: 50 }).toBeGreaterThan(known);
    expect(prober.snapshot().broken).toBeNull();
  }

  /** It is over, as after a restart of the guest. */
  async expectBroken(): Promise<void> {
    const broken = () => this.#prober?.snapshot().broken ?? null;
    await expect.poll(broken, { timeout: 60_000, interval: 200 }).not.toBeNull();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#prober?.[Symbol.asyncDispose]();
    this.#prober = null;
  }

  #start(): Promise<Prober> {
    return startProber({
      kind: "tcp-echo",
      host: this.#guestAddress,
      port: 7,
      intervalMs: 20,
      commandPrefix: labNodePrefix(this.#lab, "client"),
    });
  }
}
