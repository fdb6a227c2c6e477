import { readFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import type { HypervisorCapabilities } from "../../hypervisor/hypervisor.ts";
import { monotonicMs } from "../../platform/clock.ts";
import { asSojournError } from "../../platform/errors.ts";
import { releaseVersion } from "../../platform/release.ts";
import type { Tunnels } from "../../tunnels/tunnel.ts";
import type { DaemonConfig } from "../config.ts";
import { protocolVersion } from "../procedures.ts";
import type { HostDescription } from "./host-description.ts";

export interface LocalHostOptions {
  config: Pick<DaemonConfig, "host" | "guestNetworks">;
  capabilities: () => Promise<HypervisorCapabilities>;
  tunnels: Pick<Tunnels, "support">;
  /** Definitions of the guests that run here. */
  runningGuests: () => readonly { memory_mib: number; vcpus: number }[];
  /** What needs an operator beyond what is found here. */
  problems: () => HostDescription["problems"];
}

/** Asking the kernel for tunnels makes devices; what it can do changes seldom. */
const supportGoodForMs = 600_000;
const mib = 1024 * 1024;

/** Returns a function that describes this host; what is missing is among its `problems`. */
export function describeLocalHost(options: LocalHostOptions): () => Promise<HostDescription> {
  const { config } = options;
  const sojourn = releaseVersion();
  const processors = cpus().length;
  const support = rememberedFor(supportGoodForMs, () => options.tunnels.support());
  return async () => {
    const problems = [...options.problems()];
    const orProblem = async <Value>(work: () => Promise<Value>): Promise<Value | null> => {
      try {
        return await work();
      } catch (error) {
        problems.push(problemOf(error));
        return null;
      }
    };
    const { role = "host" } = config.host;
    const hypervisor = role === "anchor" ? null : await orProblem(options.capabilities);
    const tunnels = await orProblem(support);
    const memory = await orProblem(readMemory);
    if (tunnels?.every(({ supported }) => !supported)) {
      const message = "this kernel can make no tunnel of any kind";
      problems.push({ code: "SOJ_TUNNEL_UNSUPPORTED", message });
    }
    const running = options.runningGuests();
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
    return {
      host: config.host.name,
      underlay_address: config.host.underlayAddress,
      guest_subnets: config.guestNetworks.map(({ subnet }) => subnet),
      role,
      versions: {
        sojourn,
        protocol: protocolVersion,
        qemu: hypervisor?.version ?? null,
        kernel: release(),
      },
      capacity: {
        cpus: processors,
        memory_total_bytes: memory?.totalBytes ?? 0,
        memory_available_bytes: memory?.availableBytes ?? 0,
        accelerator: hypervisor?.accelerator ?? null,
        guests_running: running.length,
        guests_memory_bytes: sum(running.map(({ memory_mib }) => memory_mib)) * mib,
        guests_vcpus: sum(running.map(({ vcpus }) => vcpus)),
      },
      tunnels: (tunnels ?? []).map(({ kind, datapath, supported, reason }) => ({
        ...{ kind, datapath, supported },
        reason: reason?.slice(0, 400) ?? null,
      })),
      problems: problems.slice(0, 100),
    };
  };
}

/** Reads MemTotal and MemAvailable of proc_meminfo(5). Pure. @throws Error when one is missing. */
export function parseMemory(text: string): { totalBytes: number; availableBytes: number } {
  const bytesOf = (name: string) => {
    const match = new RegExp(`^${name}:\\s+(\\d{1,12}) kB$`, "m").exec(text);
    if (match === null) throw new Error(`/proc/meminfo has no ${name}`);
    return Number(match[1]) * 1024;
  };
  return { totalBytes: bytesOf("MemTotal"), availableBytes: bytesOf("MemAvailable") };
}

/** This machine's memory. @throws Error as `parseMemory`. */
export async function readMemory() {
  return parseMemory(await readFile("/proc/meminfo", "latin1"));
}

function problemOf(error: unknown): HostDescription["problems"][number] {
  const { code, message } = asSojournError(error);
  return { code, message: message.slice(0, 400) };
}

/** A failure is not remembered. */
function rememberedFor<Result>(goodForMs: number, read: () => Promise<Result>) {
  let known: { result: Result; atMs: number } | null = null;
  return async () => {
    if (known !== null && monotonicMs() - known.atMs < goodForMs) return known.result;
    const result = await read();
    known = { result, atMs: monotonicMs() };
    return result;
  };
}
