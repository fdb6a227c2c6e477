import type { Logger } from "../../platform/log.ts";
import type { DesiredState } from "../desired.ts";
import { normalise } from "../normalise.ts";
import { EventProgram } from "./event-program.ts";
import { type Interest, interestIn, nothingWanted } from "./interest.ts";
import { concernsUs, type EventSource } from "./relevance.ts";

/** How much the kernel has told so far. */
export interface WatchFigures {
  lines: number;
  /** Those that may concern something of ours. */
  relevant: number;
  /** Times at which events were lost, or may have been. */
  losses: number;
}

/** Tells when this host's kernel state may have changed in what is ours. */
export interface KernelWatch extends AsyncDisposable {
  /**
   * From now on also what has the place of an object of `desired` is looked out for, and `devices`, which carry
   * tunnels. Objects with our mark are seen in any case.
   */
  lookFor(desired: DesiredState, devices: readonly string[]): void;
  figures(): WatchFigures;
}

export interface KernelWatchOptions {
  logger: Logger;
  /** Something of ours may have changed, by whomever; must be quick. Not called for what the kernel does not tell. */
  onChange(): void;
}

/**
 * Listens to the kernel's events of this process's network namespace through `ip`, `tc` and `nft`, which outlive an
 * overrun of their sockets: links, IPv4 addresses, routes, rules, neighbours, qdiscs and filters, nftables. The kernel
 * says nothing of proxy neighbours, of switches other than `forwarding`, `rp_filter` and `proxy_arp`, nor of
 * routes that go with a link.
 */
export function openKernelWatch({ logger, onChange }: KernelWatchOptions): KernelWatch {
  let interest: Interest = nothingWanted;
  const figures = { lines: 0, relevant: 0, losses: 0 };
  const receiver = {
    onLine(source: EventSource, line: string) {
      figures.lines += 1;
      if (!concernsUs(source, line, interest)) return;
      figures.relevant += 1;
      onChange();
    },
    onLoss(source: EventSource, reason: string) {
      figures.losses += 1;
      logger.debug({ program: source, reason }, "kernel events may have been lost");
      onChange();
    },
  };
  const programs = (["ip", "tc", "nft"] as const).map(
    (source) => new EventProgram(source, receiver, logger),
  );
  return {
    lookFor(desired, devices) {
      interest = interestIn(normalise(desired), devices);
    },
    figures: () => ({ ...figures }),
    async [Symbol.asyncDispose]() {
      await Promise.all(programs.map((program) => program[Symbol.asyncDispose]()));
    },
  };
}
