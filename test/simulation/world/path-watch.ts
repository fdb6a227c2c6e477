import type { HostName } from "../schedule.ts";
import type { Copies } from "./copies.ts";
import { lossFromGuest, lossToGuest } from "./data-path.ts";
import type { FakeKernel } from "./fake-kernel.ts";
import type { FakeQemu } from "./fake-qemu.ts";

type Kernels = (host: HostName) => FakeKernel | undefined;

/** Watches the ways of packets through the hosts: whenever the guest runs they lead from its home to it, and back. */
export class PathWatch {
  readonly violations: string[] = [];
  readonly #copies: Copies;
  readonly #kernels: Kernels;
  readonly #isLeaving: (host: HostName) => boolean;
  readonly #trace: ((text: string) => void) | null;
  #place: string | null = null;
  /** The guest was given back to a host that had sent its packets on: that host's routes follow. */
  #isExcused = false;
  #isOver = false;

  constructor(world: {
    copies: Copies;
    kernels: Kernels;
    /** What a move away from there had prepared is not taken back yet. */
    isLeaving(host: HostName): boolean;
    trace: ((text: string) => void) | null;
  }) {
    const { copies, kernels, isLeaving, trace } = world;
    this.#copies = copies;
    this.#kernels = kernels;
    this.#isLeaving = isLeaving;
    this.#trace = trace;
    copies.onRun = (copy) => this.#noteRun(copy);
  }

  /** A kernel was rebooted, or refuses changes, or an operator has decided: packets may be lost from here on. */
  end(): void {
    this.#isOver = true;
  }

  /** Called whenever a kernel was changed. */
  look(): void {
    if (this.#isOver) return;
    const loss = this.loss();
    if (loss === null) this.#isExcused &&= this.#isLeaving(this.#place as HostName);
    else if (!this.#isExcused) {
      this.violations.push(loss);
      this.#trace?.(`VIOLATION: ${loss}`);
      this.#isOver = true;
    }
  }

  /** Which packets of the guest, which runs, are lost at this instant; null when none is. */
  loss(): string | null {
    const place = this.#copies.running()[0]?.host as HostName | undefined;
    if (place === undefined) return null;
    const loss = lossToGuest(this.#kernels, place);
    if (loss !== null) return `packets to the guest on ${place} are lost: ${loss}`;
    const lost = lossFromGuest(this.#kernels, place);
    return lost === null ? null : `packets from the guest on ${place} are lost: ${lost}`;
  }

  #noteRun({ host }: FakeQemu): void {
    this.#isExcused = host === this.#place;
    this.#place = host;
    this.look();
  }
}
