import { readdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { said } from "../support/sojourn-process.ts";
import { FaultLab } from "./support/fault-lab.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Descriptors, ports, tables and names that somebody else has used up: refused, and given back afterwards. */
let fault: FaultLab;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-exhausted");
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

/** Descriptors that a daemon may open beyond those it has. */
const spare = [0, 10];

test.each(spare.flatMap((count) => [["host-a", count] as const, ["host-b", count] as const]))(
  "[rows 48] the daemon of %s may open %i more descriptors: the move is done or taken back, and the daemon goes on",
  async (host, count) => {
    const before = fault.qemuOn("host-a");
    {
      await using _limit = await limitDescriptors(host, count);
      const { exitCode, stdout } = await fault.exec("host-a", [
        ...["sojourn", "migrate", "web1", "--to", "host-b", "--json", "--no-probe"],
      ]);
      const last = JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}");
      if (exitCode !== 0) {
        expect([1, 3, 4, 7]).toContain(exitCode);
        expect(last).toMatchObject({ type: "error", code: expect.stringMatching(/^SOJ_/) });
      }
    }
    await Promise.all(["host-a", "host-b"].map((each) => fault.recovered(each)));
    if ((await fault.placeAt("host-a"))?.state === "away") {
      await fault.expectAway();
      await fault.returnHome();
    } else {
      expect(fault.qemuOn("host-a")).toBe(before);
      await expect.poll(() => fault.placeAt("host-b"), { timeout: 45_000 }).toBeNull();
      await fault.expectHomeAndClean();
    }
    // The same daemons, with what they need, move it.
    expect((await fault.migrate("host-a", "host-b").ended).exitCode).toBe(0);
    await fault.returnHome();
  },
);

test("[rows 48] the destination has no port left for the stream: taken back before the guest is touched", async () => {
  const range = "net.ipv4.ip_local_port_range";
  const before = (await fault.run("host-b", ["sysctl", "-n", range])).trim();
  const holder = fault.spawn("host-b", [
    process.execPath,
    "-e",
    "require('net').createServer().listen(40000, '172.16.2.2', () => console.log('listening'))",
  ]);
  try {
    await said(holder, "listening");
    fault.injected += 1;
    await fault.run("host-b", ["sysctl", "-qw", `${range}=40000 40000`]);
    const { exitCode, last } = await fault.migrate("host-a", "host-b").ended;
    expect(last).toMatchObject({ type: "error", guest_state: "running-at-source" });
    expect(exitCode).toBe(4);
  } finally {
    holder.kill("SIGKILL");
    await fault.run("host-b", ["sysctl", "-qw", `${range}=${before}`]);
  }
  await fault.expectHomeAndClean();
});

const taken: [string, string, string[], string[]][] = [
  [
    "the source-routing table has somebody else's default route",
    "host-b",
    ["ip", "route", "add", "default", "via", "172.16.2.1", "table", "18310"],
    ["ip", "route", "del", "default", "via", "172.16.2.1", "table", "18310"],
  ],
  [
    "the table of guests that are to arrive has somebody else's route to the guest",
    "host-b",
    ["ip", "route", "add", "blackhole", "10.1.0.10/32", "table", "18300"],
    ["ip", "route", "del", "blackhole", "10.1.0.10/32", "table", "18300"],
  ],
  [
    "the guest's address has somebody else's route at the destination",
    "host-b",
    ["ip", "route", "add", "10.1.0.10/32", "via", "172.16.2.1"],
    ["ip", "route", "del", "10.1.0.10/32", "via", "172.16.2.1"],
  ],
];

test.each(taken)(
  "[rows 48] %s: refused, and what is not ours stays",
  async (_what, host, add, remove) => {
    fault.injected += 1;
    await fault.run(host, add);
    try {
      const { exitCode, last } = await fault.migrate("host-a", "host-b").ended;
      expect(last).toMatchObject({ type: "error", code: "SOJ_ROUTING_FOREIGN" });
      expect([3, 4]).toContain(exitCode);
      const unplanned = await fault.migrateUnplanned("host-a", "host-b").catch(() => null);
      if (unplanned !== null) expect((await unplanned.ended).exitCode).toBe(4);
    } finally {
      // It is still there: removing it works.
      await fault.run(host, remove);
    }
    await fault.expectHomeAndClean();
  },
);

/** The daemon's limit (prlimit(1)) until disposed of. */
async function limitDescriptors(host: string, count: number): Promise<AsyncDisposable> {
  const pid = fault.daemonOn(host);
  const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  const free = Array.from({ length: 1024 }, (_, number) => number).filter((one) => !used.has(one));
  const limits = await fault.run(host, [
    "prlimit",
    "--pid",
    `${pid}`,
    "--nofile",
    "--noheadings",
    "--output",
    "SOFT,HARD",
  ]);
  const [soft, hard] = limits.trim().split(/\s+/);
  const set = (value: string) =>
    fault.run(host, ["prlimit", "--pid", `${pid}`, `--nofile=${value}:${hard}`]);
  fault.injected += 1;
  await set(`${free[count]}`);
  return {
    [Symbol.asyncDispose]: async () => {
      await set(soft ?? "1024");
    },
  };
}
