import { join } from "node:path";
import { createInterface } from "node:readline";
import { HostNetwork } from "../../src/migrator/host-network.ts";
import type { HostFacts } from "../../src/migrator/network.ts";
import { NetworkKeeper } from "../../src/migrator/network-keeper.ts";
import { RecordStore } from "../../src/migrator/record-store.ts";
import { RepairPace } from "../../src/migrator/repair-pace.ts";
import { createLogger } from "../../src/platform/log.ts";
import { openRoutingPlane } from "../../src/routing/plane.ts";
import { type KernelWatch, openKernelWatch } from "../../src/routing/watch/kernel-watch.ts";
import { createTunnels } from "../../src/tunnels/tunnels.ts";

/**
 * Keeps the network of this process's namespace as the records in a folder say: one word a line is a request, one JSON
 * object a line the answer. What it logs goes to standard error.
 */
const [folder = "", facts = "", burst = "3"] = process.argv.slice(2);
const logger = createLogger("debug");
const plane = await openRoutingPlane({ logger, stateFolder: folder });
const records = new RecordStore(join(folder, "guests"));
const tunnels = createTunnels({ runtimeFolder: join(folder, "bpf") });
const host = JSON.parse(facts) as HostFacts;
const network = new HostNetwork(host, tunnels, plane, records, logger);
await network.reconcile();
let watch: KernelWatch | null = null;
const openWatch = (onChange: () => void) => {
  watch = openKernelWatch({ logger, onChange });
  return watch;
};
const pace = new RepairPace(Number(burst));
const keeper = new NetworkKeeper({ network, openWatch, logger, pace });
let hold: Disposable | null = null;

const requests: Record<string, () => Promise<unknown>> = {
  figures: async () => {
    const { user, system } = process.cpuUsage();
    const { looks, isIdle } = keeper;
    return { ...watch?.figures(), looks, isIdle, cpuMs: (user + system) / 1000 };
  },
  hold: async () => {
    hold = await network.hold();
  },
  postpone: async () => {
    hold = network.postponeRepairs(60_000);
  },
  release: async () => hold?.[Symbol.dispose](),
  /** A change of our own: the record is stored and the kernel follows. */
  change: async () => {
    const [record] = records.all();
    if (record !== undefined) await network.change({ ...record, epoch: record.epoch + 1 });
  },
  forget: () => network.forget(records.all()[0]?.guest ?? ""),
};

process.stdout.write("{}\n");
for await (const line of createInterface({ input: process.stdin })) {
  const result = await requests[line]?.();
  process.stdout.write(`${JSON.stringify(result ?? {})}\n`);
}
await keeper[Symbol.asyncDispose]();
await plane[Symbol.asyncDispose]();
