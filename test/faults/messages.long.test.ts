import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { initCertificateAuthority, issueHostCertificate } from "../../src/daemon/pki.ts";
import { labPaths } from "../../src/lab/layout.ts";
import { FaultLab } from "./support/fault-lab.ts";
import { holdMonitor } from "./support/guest-monitor.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Messages that are late, and callers that are not who they should be. */
let fault: FaultLab;
let folder: string;

const peerCall = join(import.meta.dirname, "support", "programs", "peer-call.ts");
const peerAddress = "172.16.2.2";

recordEachFault(() => fault);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sojourn-callers-"));
  fault = await FaultLab.up("fault-messages");
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await fault?.[Symbol.asyncDispose]();
});

test("[rows 23] messages of a migration that is over arrive again: none changes anything", async () => {
  const first = fault.migrate("host-a", "host-b");
  const id = await first.phase("preparing");
  expect((await first.ended).exitCode).toBe(0);
  const epoch = await epochAt("host-b");
  await fault.returnHome();
  // While a later migration of the same guest is under way at the destination.
  await fault.setMigrationPolicy("host-a", "max_bandwidth_mbps = 8");
  const second = fault.migrate("host-a", "host-b");
  const secondId = await second.streaming();
  const qemu = fault.qemuOn("host-b");
  const old = { id, guest: "web1", epoch };
  const stale = { error: "SOJ_STALE_EPOCH" };
  expect(await call("settle", { ...old, grace_ms: 0 })).toMatchObject({ state: "taken-over" });
  expect(await call("abort", old)).toMatchObject({ state: "taken-over" });
  expect(await call("renew-incoming", old)).toEqual(stale);
  expect(await call("close-barrier", old)).toEqual(stale);
  expect(await call("open-barrier", { ...old, barrier_address: "198.18.0.1" })).toEqual(stale);
  // The right migration with an epoch that is not its own, and one that was never heard of.
  expect(await call("settle", { ...old, id: secondId, grace_ms: 0 })).toEqual(stale);
  expect(await call("abort", { ...old, id: secondId })).toEqual(stale);
  expect(await call("abort", { ...old, id: "mffffffffffff" })).toMatchObject({ state: "aborted" });
  expect(fault.qemuOn("host-b")).toBe(qemu);
  expect(await fault.placeAt("host-a")).toEqual({ state: "running", host: "host-a" });
  await fault.run("host-a", ["sojourn", "cancel", secondId]);
  expect((await second.ended).exitCode).toBe(6);
  await fault.setMigrationPolicy("host-a", "");
  await fault.expectHomeAndClean();
});

test("[rows 43] callers without a certificate, of another authority, unknown, with an old TLS, or too large are refused; peers go on", async () => {
  const authority = join(folder, "authority");
  await initCertificateAuthority(authority);
  const issue = async (pki: string, name: string, out: string) => {
    const outDir = join(folder, out);
    await issueHostCertificate(pki, { name, addresses: ["172.16.1.2"], outDir });
    return ["-cert", join(outDir, "host.crt"), "-key", join(outDir, "host.key")];
  };
  const own = ["-cert", "/etc/sojourn/pki/host.crt", "-key", "/etc/sojourn/pki/host.key"];
  const stranger = await issue(labPaths(fault.lab.name).pki, "stranger", "stranger");
  const forged = await issue(authority, "host-a", "forged");
  expect(await knock(["-tls1_3"], 2)).toMatch(/certificate required/);
  expect(await knock(["-tls1_3", ...forged], 2)).toMatch(/unknown ca|certificate/);
  expect(await knock(["-tls1_2", ...own], 2)).toMatch(/protocol version/);
  expect(await knock(["-tls1_3", ...stranger], 2)).toMatch(/403[\s\S]*SOJ_PEER_REFUSED/);
  expect(await knock(["-tls1_3", ...own], 10_000_000)).toMatch(/413[\s\S]*SOJ_BODY_TOO_LARGE/);
  {
    await using _silent = silentCallers(200);
    expect((await fault.migrate("host-a", "host-b").ended).exitCode).toBe(0);
    await fault.expectAway();
  }
  await fault.returnHome();
});

test("[rows 42] somebody else holds the guest's monitor when the daemon starts: the guest goes on, and can be moved once it is free", async () => {
  await fault.kill("host-a");
  {
    using _held = await holdMonitor(fault, "host-a");
    await fault.restart("host-a").catch(() => {});
    await fault.expectSessionAlive();
  }
  await fault.restart("host-a");
  await expect
    .poll(() => fault.placeAt("host-a"), { timeout: 15_000 })
    .toMatchObject({ state: "running" });
  expect((await fault.migrate("host-a", "host-b").ended).exitCode).toBe(0);
  await fault.expectAway();
  await fault.returnHome();
});

async function epochAt(host: string): Promise<number> {
  const record = await fault.run(host, ["cat", "/var/lib/sojourn/guests/web1.json"]);
  return (JSON.parse(record) as { epoch: number }).epoch;
}

async function call(procedure: string, body: object): Promise<unknown> {
  fault.injected += 1;
  const node = [process.execPath, "--disable-warning=ExperimentalWarning", peerCall];
  const args = ["host-b", peerAddress, "7707", procedure, JSON.stringify(body)];
  return JSON.parse(await fault.run("host-a", [...node, ...args]));
}

/** What host-b's peer API says to a caller of host-a's network that announces `bodyBytes`. */
async function knock(options: readonly string[], bodyBytes: number): Promise<string> {
  fault.injected += 1;
  const request = `POST /peer/v1/hello HTTP/1.1\\r\\nHost: b\\r\\nContent-Type: application/json\\r\\nContent-Length: ${bodyBytes}\\r\\n\\r\\n{}`;
  const client = `openssl s_client -quiet -connect ${peerAddress}:7707 ${options.join(" ")}`;
  const script = `(printf '${request}'; sleep 1) | timeout 5 ${client} 2>&1 || true`;
  return await fault.run("host-a", ["sh", "-c", script]);
}

/** Connections that never say anything. */
function silentCallers(count: number): AsyncDisposable {
  fault.injected += 1;
  const script = `for (let i = 0; i < ${count}; i++) require("node:net").connect(7707, "${peerAddress}").on("error", () => {})`;
  const child = fault.spawn("client", [process.execPath, "-e", script]);
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
    },
  };
}
