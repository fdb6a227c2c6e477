import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultLab, guest } from "./support/fault-lab.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Hosts that come up again after a reboot: nothing of what ran or was configured is there, their disks are. */
let fault: FaultLab;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-reboots");
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

test("[rows 49] the source's host reboots when its guest is away: it leads traffic to it again and does not start it", async () => {
  expect((await fault.migrate("host-a", "host-b").ended).exitCode).toBe(0);
  await reboot("host-a");
  // As long as home is down the guest cannot be reached; its host's own pings go on.
  await fault.restart("host-a");
  await fault.expectAway();
  await fault.returnHome();
});

test("[rows 49] the destination's host reboots: it says that the guest is gone, so does its home, where it can be started again", async () => {
  // The guest died with its host.
  fault.allowFreeze(null);
  expect((await fault.migrate("host-a", "host-b").ended).exitCode).toBe(0);
  await reboot("host-b");
  await fault.restart("host-b");
  expect(await fault.placeAt("host-b")).toBeNull();
  await expect.poll(() => fault.placeAt("host-a")).toEqual({ state: "stopped", host: null });
  expect(fault.qemuProcesses()).toEqual([]);
  await fault.run("host-a", ["sojourn", "guest", "start", guest]);
  await fault.openSession(60_000);
  await fault.expectHomeAndClean();
});

test("[rows 49] both hosts reboot when the guest is away: it runs nowhere, and neither says otherwise", async () => {
  fault.allowFreeze(null);
  expect((await fault.migrate("host-a", "host-b").ended).exitCode).toBe(0);
  await Promise.all([reboot("host-a"), reboot("host-b")]);
  // Home first: it cannot know yet, and must not guess.
  await fault.restart("host-a");
  expect(fault.qemuProcesses()).toEqual([]);
  expect(await fault.placeAt("host-a")).toMatchObject({ host: "host-b" });
  await fault.restart("host-b");
  expect(await fault.placeAt("host-b")).toBeNull();
  await expect.poll(() => fault.placeAt("host-a")).toEqual({ state: "stopped", host: null });
  await fault.run("host-a", ["sojourn", "guest", "start", guest]);
  await fault.openSession(60_000);
  await fault.expectHomeAndClean();
});

/** Ends every process of Sojourn on a host and takes away what a kernel and a /run do not keep. */
async function reboot(host: string): Promise<void> {
  await fault.kill(host);
  for (const { node, pid } of fault.qemuProcesses()) if (node === host) await fault.end(pid);
  await fault.run(host, ["sh", "-c", forgetting]);
}

const forgetting = [
  "rm -rf /run/sojourn",
  "nft flush ruleset",
  "for link in $(ip -br link | grep -o '^sj[a-z0-9]*'); do ip link del $link 2>/dev/null; done",
  "ip route flush proto 183 table all",
  "ip rule | grep -o '^183[0-9]*' | while read priority; do ip rule del priority $priority; done",
  "ip neigh show proxy | while read address _ device _; do ip neigh del proxy $address dev $device; done",
  "tc qdisc del dev eth0 clsact",
  "sysctl -qw net.ipv4.conf.guests0.rp_filter=0 net.ipv4.conf.guests0.proxy_arp=0",
  "sysctl -qw net.ipv4.conf.guests0.send_redirects=0 net.ipv4.neigh.guests0.proxy_delay=80",
  "true",
].join("; ");
