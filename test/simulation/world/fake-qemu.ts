import type { GuestDefinition } from "../../../src/hypervisor/definition.ts";
import type { GuestEvent, MigrationStatus, RunState } from "../../../src/hypervisor/hypervisor.ts";
import type { Instant } from "../schedule.ts";
import type { Copies } from "./copies.ts";
import type { LibvirtSession } from "./fake-libvirtd.ts";
import type { GuestStream } from "./stream.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface QemuOptions {
  host: string;
  definition: GuestDefinition;
  incoming: boolean;
  runState: RunState;
  /** Started with `-S`: a guest that has arrived stays paused. */
  startsPaused: boolean;
  clock: VirtualClock;
  copies: Copies;
  trace: ((text: string) => void) | null;
}

/** A hypervisor process: it outlives daemons, can be killed and frozen, and obeys whoever holds its monitor. */
export class FakeQemu {
  readonly host: string;
  readonly definition: GuestDefinition;
  readonly incoming: boolean;
  readonly startsPaused: boolean;
  readonly pid: number;
  readonly clock: VirtualClock;
  alive = true;
  frozen = false;
  /** Its main loop waits for a page that is missing: it carries no command out but those out of band. */
  hangs = false;
  /** The capability is set. */
  postCopy = false;
  runState: RunState;
  status: MigrationStatus = "none";
  /** `error-desc`. */
  errorText: string | null = null;
  /** Of the guest's history; see `Copies`. */
  run = 0;
  port: number | null = null;
  stream: GuestStream | null = null;
  /** With libvirt: the connection whose end ends an incoming process that has not arrived (`autodestroy`). */
  preparedBy: LibvirtSession | null = null;
  /** With libvirt: the connection that keeps others from changing the guest (`CHANGE_PROTECTION`). */
  protectedBy: LibvirtSession | null = null;
  /** With libvirt: bytes per second of what it sends; 0 means as fast as the link takes it. */
  bandwidth = 0;
  monitor: ((event: GuestEvent) => void) | null = null;
  onEnded: (() => void) | null = null;
  readonly #copies: Copies;
  readonly #trace: ((text: string) => void) | null;
  #waiting: (() => void)[] = [];
  #commands: (() => void)[] = [];

  constructor(options: QemuOptions) {
    this.host = options.host;
    this.definition = options.definition;
    this.incoming = options.incoming;
    this.startsPaused = options.startsPaused;
    this.clock = options.clock;
    this.#copies = options.copies;
    this.#trace = options.trace;
    this.runState = options.runState;
    options.copies.all.push(this);
    this.pid = options.copies.all.length;
    if (this.runState === "running") options.copies.noteRun(this);
  }

  get name(): string {
    return `QEMU ${this.pid} on ${this.host}`;
  }

  /** Does something at once, or when it thaws; never once it has ended. */
  act(work: () => void): void {
    if (!this.alive) return;
    if (this.frozen) this.#waiting.push(work);
    else work();
  }

  /** Carries a command out that came through the monitor. */
  command(work: () => void): void {
    this.act(() => {
      if (this.hangs) this.#commands.push(work);
      else work();
    });
  }

  hang(): void {
    this.hangs = true;
    this.#trace?.(`${this.name} hangs`);
  }

  /** The page is there. */
  goOn(): void {
    this.hangs = false;
    for (const work of this.#commands.splice(0)) this.command(work);
  }

  after(delayMs: number, work: () => void): void {
    this.clock.after(delayMs, () => this.act(work));
  }

  freeze(): void {
    this.frozen = true;
    this.#trace?.(`${this.name} is frozen`);
  }

  thaw(): void {
    if (!this.frozen) return;
    this.frozen = false;
    this.#trace?.(`${this.name} thaws`);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const work of waiting) this.act(work);
  }

  end(reason: string): void {
    if (!this.alive) return;
    this.alive = false;
    this.#waiting = [];
    this.#commands = [];
    this.#trace?.(`${this.name} ends: ${reason}`);
    this.stream?.processEnded(this);
    this.onEnded?.();
  }

  setRunState(state: RunState): void {
    if (state === this.runState) return;
    const before = this.runState;
    this.runState = state;
    this.#trace?.(`${this.name}: ${before} → ${state}`);
    if (state === "running") {
      this.#copies.noteRun(this);
      this.emit("RESUME", {});
    } else if (before === "running") {
      this.#copies.noteStop(this);
      this.emit("STOP", {});
    }
  }

  setStatus(status: MigrationStatus): void {
    if (status === this.status) return;
    this.status = status;
    this.#trace?.(`${this.name}: migration ${status}`);
    this.emit("MIGRATION", { status });
  }

  /** Its stream, or the one that it receives, has come so far. */
  note(instant: Instant): void {
    this.#copies.onInstant(instant);
  }

  emit(name: string, data: Record<string, unknown>): void {
    this.monitor?.({
      name,
      data,
      timestampMs: this.clock.wallClockMs(),
      receivedMs: this.clock.monotonicMs(),
    });
  }
}
