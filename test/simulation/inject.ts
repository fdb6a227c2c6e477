import type { GatePoint } from "../../src/migrator/gates.ts";
import { decodeJournal } from "../../src/migrator/journal-format.ts";
import { decideDoubts } from "./operator.ts";
import type { Fault, HostName, Instant } from "./schedule.ts";
import { runningProcess } from "./world/daemon-process.ts";
import type { WriteSide } from "./world/memory-disk.ts";
import { SealedStream } from "./world/sealed-stream.ts";
import type { World } from "./world/world.ts";

/** A destination that was promised a guest, and has not heard of it, gives it up with its lease (30 s). */
const longestSilenceMs = 25_000;

/** Makes the faults of a schedule happen from its making on; `stop` ends that, and what they left is healed by the caller. */
export class Injection {
  readonly #world: World;
  readonly #faults: readonly Fault[];
  readonly #writes = new Map<HostName, number>();
  #atWrites: Fault[];
  #atGates: Fault[];
  #atInstants: Fault[];
  #stopped = false;
  /** Kinds of what happened. */
  readonly injected: string[] = [];
  #guestKilled = false;

  constructor(world: World, faults: readonly Fault[]) {
    this.#world = world;
    this.#faults = faults;
    this.#atWrites = faults.filter(({ when }) => "write" in when);
    this.#atGates = faults.filter(({ when }) => "gate" in when);
    this.#atInstants = faults.filter(({ when }) => "instant" in when);
    for (const fault of faults) {
      if ("atMs" in fault.when) world.clock.after(fault.when.atMs, () => this.#happen(fault));
    }
    world.gates.onAsked = (point) => this.#atGate(point);
    world.copies.onInstant = (instant) => this.#atInstant(instant);
    if (this.#atWrites.length === 0) return;
    for (const [name, { disk }] of world.hosts) {
      disk.onDurable = (side, what) => this.#atWrite(name, side, what);
    }
  }

  /** Faults ended every process from which the guest could have been had, or one that may have run it, or what it lacked. */
  get guestKilled(): boolean {
    const { copies } = this.#world;
    return this.#guestKilled || copies.all.some(({ stream }) => stream?.following?.isBeyondHelp);
  }

  stop(): void {
    this.#stopped = true;
  }

  #atWrite(name: HostName, side: WriteSide, what: string): void {
    if (this.#stopped) return;
    const count = this.#writes.get(name) ?? 0;
    if (side === "after") this.#writes.set(name, count + 1);
    for (const fault of [...this.#atWrites]) {
      const { when } = fault;
      if (!("write" in when) || when.host !== name || when.write !== count || when.side !== side) {
        continue;
      }
      this.#atWrites = this.#atWrites.filter((other) => other !== fault);
      this.#world.trace?.(`${name}: ${side} write ${count}, ${what}:`);
      const interrupts = fault.kind === "kill-daemon" || fault.kind === "lose-power";
      if (when.delayMs === 0 && interrupts) this.#happen(fault);
      else this.#world.clock.after(when.delayMs, () => this.#happen(fault));
    }
  }

  #atGate(point: GatePoint): void {
    for (const fault of [...this.#atGates]) {
      const { when } = fault;
      if (!("gate" in when) || when.gate !== point) continue;
      this.#atGates = this.#atGates.filter((other) => other !== fault);
      this.#world.clock.after(when.delayMs, () => this.#happen(fault));
    }
  }

  #atInstant(instant: Instant): void {
    for (const fault of [...this.#atInstants]) {
      const { when } = fault;
      if (!("instant" in when) || when.instant !== instant) continue;
      this.#atInstants = this.#atInstants.filter((other) => other !== fault);
      this.#world.clock.after(when.delayMs, () => this.#happen(fault));
    }
  }

  #happen(fault: Fault): void {
    if (this.#stopped) return;
    const { links, clock, trace, failing } = this.#world;
    this.injected.push(fault.kind);
    trace?.(`FAULT: ${JSON.stringify({ ...fault, when: undefined })}`);
    switch (fault.kind) {
      case "kill-daemon":
        this.#world.host(fault.host).kill();
        this.#bootLater(fault);
        return;
      case "stop-daemon":
        void this.#world.host(fault.host).stop();
        this.#bootLater(fault);
        return;
      case "lose-power":
        this.#losePower(fault);
        return;
      case "cut":
        for (const link of fault.links)
          for (const way of waysOf(fault)) links.cut(link, way.from, fault.forMs, way.to);
        return;
      case "stall-daemon": {
        const { process } = this.#world.host(fault.host);
        if (process !== null) process.stalledUntilMs = clock.nowMs + fault.forMs;
        return;
      }
      case "reset-stream":
        for (const { stream } of this.#world.copies.all) {
          const isFragile = stream?.following?.isFragile ?? stream?.isSplit;
          if (isFragile) this.#guestKilled = true;
          for (const end of fault.ends) stream?.reset(end);
        }
        return;
      case "kill-qemu":
        this.#killProcesses(fault.host);
        return;
      case "freeze-qemu":
        for (const qemu of this.#world.copies.on(fault.host)) {
          qemu.freeze();
          clock.after(fault.forMs, () => qemu.thaw());
        }
        return;
      case "restart-libvirtd": {
        const libvirtd = this.#world.libvirtds.get(fault.host);
        libvirtd?.end();
        clock.after(fault.backAfterMs, () => libvirtd?.begin());
        return;
      }
      case "network-fails":
        failing.set(fault.host, fault.operations);
        this.#world.paths.end();
        return;
      case "disk-fails": {
        const { disk } = this.#world.host(fault.host);
        disk.fails = fault.how;
        clock.after(fault.forMs, () => {
          disk.fails = null;
        });
        return;
      }
      case "cancel":
        this.#cancel();
        return;
      case "resolve":
        void decideDoubts(this.#world, fault.keep).then((lost) => {
          this.#guestKilled ||= lost;
        });
        return;
      case "migrate":
        void this.#world.migrate(fault.to);
    }
  }

  #losePower(fault: Extract<Fault, { kind: "lose-power" }>): void {
    const host = this.#world.host(fault.host);
    this.#world.paths.end();
    host.kill();
    host.disk.losePower(this.#world.random.stream(`power of ${fault.host}`));
    host.kernel.clear();
    this.#killProcesses(fault.host, fault.backAfterMs);
    this.#bootLater(fault);
  }

  /** @param awayMs how long no daemon of the host says anything. */
  #killProcesses(name: HostName, awayMs = 0): void {
    const { copies } = this.#world;
    const held = copies.on(name).some((qemu) => copies.holders().includes(qemu));
    // What has arrived of a guest whose source has promised nothing, or cannot say so, is given up with it.
    const isSource = copies
      .on(name)
      .some((qemu) => qemu.stream instanceof SealedStream && qemu.stream.isOf(qemu));
    const isUnsealed = isSource && (awayMs > longestSilenceMs || !this.#isPromised(name));
    if (copies.on(name).some(({ stream }) => stream?.isSplit)) this.#guestKilled = true;
    for (const qemu of copies.on(name)) qemu.end("killed");
    if (!held) return;
    if (isUnsealed) this.#guestKilled = true;
    const alone = this.#faults.length === 1 && !this.#hasTakenOver(name);
    if (!alone || copies.holders().length === 0) this.#guestKilled = true;
  }

  #isPromised(name: HostName): boolean {
    const journal = this.#world.host(name).disk.read("/state/journal");
    const records = journal === null ? [] : decodeJournal(journal).records;
    const last = records.at(-1)?.migration;
    return records.some(({ migration, step }) => migration === last && step === "promise");
  }

  #hasTakenOver(name: HostName): boolean {
    const journal = this.#world.host(name).disk.read("/state/journal");
    return (
      journal !== null && decodeJournal(journal).records.some(({ step }) => step === "takeover")
    );
  }

  #bootLater(fault: { host: HostName; backAfterMs: number }): void {
    const host = this.#world.host(fault.host);
    this.#world.clock.after(fault.backAfterMs, () => {
      if (this.#stopped || host.daemon !== null) return;
      this.#world.trace?.(`${fault.host}'s daemon starts`);
      host.boot();
    });
  }

  #cancel(): void {
    for (const { id, from } of this.#world.underWay()) {
      const { daemon } = this.#world.host(from as HostName);
      if (daemon === null) continue;
      runningProcess.run(daemon.process, () => {
        try {
          daemon.migrations.cancel(id);
        } catch (error) {
          this.#world.trace?.(`${error}`);
        }
      });
    }
  }
}

function waysOf({ from, pair }: Extract<Fault, { kind: "cut" }>): { from: string; to?: string }[] {
  if (pair !== true) return from.map((host) => ({ from: host }));
  return from.flatMap((host) =>
    from.filter((other) => other !== host).map((to) => ({ from: host, to })),
  );
}
