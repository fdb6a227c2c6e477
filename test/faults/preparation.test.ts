import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { afterAll, beforeAll, expect, test } from "vitest";
import { networkIdentifier, tunnelName } from "../../src/tunnels/identity.ts";
import { FaultLab, guest, rolledBackIn } from "./support/fault-lab.ts";
import { haltAt } from "./support/halted-migration.ts";
import type { CodePlace } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Faults before anything moves: the guest does not notice, and nothing is left on either host. */
let fault: FaultLab;

const fromA = { localAddress: "172.16.1.2", remoteAddress: "172.16.2.2" };

const beforeIncomingQemu: CodePlace = { text: "hypervisor.startIncoming(", condition: "true" };

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.shared();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

test("[rows 34] a foreign interface has the tunnel's name at the source: nothing is begun", async () => {
  const name = tunnelName({ kind: "ipip", ...fromA });
  await using _foreign = await foreignLink("host-a", name, ["bridge"]);
  const before = fault.qemuOn("host-a");
  expect(await fault.migrate("host-a", "host-b").ended).toMatchObject({
    exitCode: 3,
    last: { type: "error", code: "SOJ_TUNNEL_FOREIGN", message: expect.stringContaining(name) },
  });
  expect(fault.qemuProcesses()).toEqual([{ node: "host-a", pid: before }]);
});

test("[rows 31, 34] a foreign interface has the tunnel's name at the source, found while preparing", async () => {
  await fault.expectHomeAndClean();
  const name = tunnelName({ kind: "ipip", ...fromA });
  {
    await using _foreign = await foreignLink("host-a", name, ["bridge"]);
    const migration = await fault.migrateUnplanned("host-a", "host-b");
    expect(await migration.ended).toMatchObject(rolledBackIn("preparing", "SOJ_TUNNEL_FOREIGN"));
  }
  await fault.expectHomeAndClean();
});

test("[rows 31, 34] a foreign vxlan device has the network identifier at the destination", async () => {
  const vni = networkIdentifier({ kind: "vxlan", ...fromA });
  {
    const kind = ["vxlan", "id", `${vni}`, "dstport", "4789", "local", "172.16.2.2"];
    await using _foreign = await foreignLink("host-b", "foreign0", kind);
    const options = ["--tunnel", "vxlan"];
    const migration = await fault.migrateUnplanned("host-a", "host-b", options);
    const ending = await migration.ended;
    expect(ending).toMatchObject(rolledBackIn("preparing", "SOJ_TUNNEL_FOREIGN"));
    expect(ending.last).toMatchObject({ message: expect.stringContaining("foreign0") });
  }
  await fault.expectHomeAndClean();
});

test("[rows 30] the destination's QEMU does not start: its kernel file was damaged after it was looked at", async () => {
  const { kernel } = definition();
  {
    await using halted = await haltAt(fault, "host-b", beforeIncomingQemu);
    await using _hidden = await hiddenFile("host-b", kernel);
    await halted.goOn();
    expect(await halted.migration.ended).toMatchObject(
      rolledBackIn("preparing", "SOJ_HYPERVISOR_START_FAILED"),
    );
  }
  await fault.expectHomeAndClean();
});

if (process.env.SOJOURN_FAULTS_ALL) {
  test("[rows 36] the barrier gets no answer: the router drops the tunnel's packets", async () => {
    {
      await using _filter = await routerRule("ip protocol 4 drop");
      const migration = fault.migrate("host-a", "host-b");
      expect(await migration.ended).toMatchObject(rolledBackIn("preparing", "SOJ_BARRIER_SILENT"));
    }
    await fault.expectHomeAndClean();
  });
}

test("[rows 36] the barrier gets answers to small packets only: the path's MTU is too small", async () => {
  {
    await using _filter = await routerRule("ip protocol 4 ip length > 1400 drop");
    const migration = fault.migrate("host-a", "host-b");
    expect(await migration.ended).toMatchObject(rolledBackIn("preparing", "SOJ_BARRIER_MTU"));
  }
  await fault.expectHomeAndClean();
});

test("[rows 5] the destination's daemon does not answer", async () => {
  await fault.kill("host-b");
  expect(await fault.migrate("host-a", "host-b").ended).toMatchObject({
    exitCode: 3,
    last: {
      type: "error",
      code: "SOJ_PEER_UNREACHABLE",
      message: expect.stringContaining("host-b"),
    },
  });
  await fault.restart("host-b");
  await fault.expectHomeAndClean();
});

test("requests that cannot be met change nothing and say why", async () => {
  const ask = async (...args: string[]) => {
    const { exitCode, stdout } = await fault.exec("host-a", ["sojourn", ...args, "--json"]);
    return { exitCode, error: JSON.parse(stdout.split("\n").at(-1) ?? "") };
  };
  expect(await ask("migrate", "nobody", "--to", "host-b")).toMatchObject({
    exitCode: 3,
    error: { type: "error", code: "SOJ_GUEST_UNKNOWN", hint: expect.any(String) },
  });
  expect(await ask("migrate", guest, "--to", "host-z")).toMatchObject({
    exitCode: 3,
    error: { type: "error", code: "SOJ_HOST_UNKNOWN", hint: expect.stringContaining("host-b") },
  });
  expect(await ask("cancel", "m000000000000")).toMatchObject({
    exitCode: 3,
    error: { type: "error", code: "SOJ_MIGRATION_UNKNOWN" },
  });
  await fault.expectHomeAndClean();
});

interface Definition {
  kernel: string;
}

function definition(): Definition {
  const folder = `/run/sojourn-lab/${fault.lab.name}/nodes/host-a/etc/guests`;
  return parse(readFileSync(join(folder, `${guest}.toml`), "utf8")) as unknown as Definition;
}

async function foreignLink(host: string, name: string, kind: string[]): Promise<AsyncDisposable> {
  await fault.run(host, ["ip", "link", "add", name, "type", ...kind]);
  return undoneBy(host, ["ip", "link", "del", name]);
}

/** The file is empty as the host sees it. */
async function hiddenFile(host: string, path: string): Promise<AsyncDisposable> {
  await fault.run(host, ["mount", "--bind", "/dev/null", path]);
  return undoneBy(host, ["umount", path]);
}

/** A rule on the way between the hosts. */
async function routerRule(rule: string): Promise<AsyncDisposable> {
  const chain = "{ type filter hook forward priority 0; }";
  await fault.run("router", ["nft", "add", "table", "ip", "fault"]);
  await fault.run("router", ["nft", "add", "chain", "ip", "fault", "forward", chain]);
  await fault.run("router", ["nft", "add", "rule", "ip", "fault", "forward", rule]);
  return undoneBy("router", ["nft", "delete", "table", "ip", "fault"]);
}

function undoneBy(node: string, command: string[]): AsyncDisposable {
  fault.injected += 1;
  return {
    [Symbol.asyncDispose]: async () => {
      await fault.run(node, command);
    },
  };
}
