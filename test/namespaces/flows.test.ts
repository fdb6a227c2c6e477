import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, expect, it } from "vitest";
import { flowSummary } from "../../src/daemon/inventory/flows.ts";
import { wallClockMs } from "../../src/platform/clock.ts";
import { findTool } from "../../src/platform/command.ts";
import type { FlowTable } from "../../src/routing/flows/flow-table.ts";
import { openFlowTableIn } from "../support/flow-table-in.ts";
import { connect, createNamespace, type Namespace, nodePath } from "../support/namespaces.ts";
import { said } from "../support/sojourn-process.ts";

const guest = "10.1.0.10";
const place = {
  ...{ guest: "web1", host: "host-a", pathOf: () => "direct" as const },
  idleMs: () => 0,
};
let stack: AsyncDisposableStack;
let client: Namespace;
let host: Namespace;
let table: FlowTable;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  client = stack.use(await createNamespace("flow-client"));
  host = stack.use(await createNamespace("flow-host"));
  await connect(
    { namespace: client, device: "eth0", address: "192.0.2.2/24" },
    { namespace: host, device: "eth0", address: "192.0.2.1/24" },
  );
  await host.ip(`address add ${guest}/32 dev lo`);
  await client.ip("route add default via 192.0.2.1");
  table = stack.use(openFlowTableIn(host));
});
afterEach(() => stack.disposeAsync());

it("tells that nothing is tracked, and then TCP, translated TCP and ICMP with what was counted", async () => {
  await expect(table.read(guest)).rejects.toMatchObject({ code: "SOJ_FLOWS_UNTRACKED" });
  await host.sysctl("net/netfilter/nf_conntrack_acct", "1");
  await host.sysctl("net/netfilter/nf_conntrack_timestamp", "1");
  const nft = (line: string, ...words: string[]) => host.run("nft", [...line.split(" "), ...words]);
  await nft("add table ip t");
  await nft("add chain ip t p", "{ type nat hook prerouting priority dstnat; }");
  await nft(`add rule ip t p ip daddr 192.0.2.1 tcp dport 80 dnat to ${guest}:7`);
  const listen = `require("node:net").createServer((s) => s.pipe(s)).listen(7, "${guest}", () => console.log("listening"))`;
  await said(program(host, listen), "listening");
  for (const [address, port] of [
    [guest, 7],
    ["192.0.2.1", 80],
  ]) {
    const send = `require("node:net").connect(${port}, "${address}").once("data", () => console.log("answered")).write("x")`;
    await said(program(client, send), "answered");
  }
  await client.run("ping", ["-c", "1", "-W", "1", guest]);
  const told = (await table.read(guest)).map((flow) =>
    flowSummary({ ...place, address: guest, nowMs: wallClockMs() + 61_000 }, flow),
  );
  const [ping, plain, translated] = told.toSorted(
    (left, right) =>
      left.protocol_number - right.protocol_number || left.nat.length - right.nat.length,
  );
  const established = {
    direction: "in",
    established: true,
    peer: expect.stringMatching(/^192\.0\.2\.2(:\d+)?$/),
  };
  expect(told).toHaveLength(3);
  for (const { age_s } of told) expect(Math.floor((age_s ?? 0) / 60)).toBe(1);
  expect(ping).toMatchObject({
    ...{ ...established, protocol: "icmp", icmp: { type: 8, code: 0 } },
    ...{ sent: { packets: 1, bytes: 84 }, received: { packets: 1, bytes: 84 } },
  });
  const web = { protocol: "tcp", state: "ESTABLISHED", guest: `${guest}:7` };
  expect(plain).toMatchObject({ ...established, ...web, nat: [] });
  expect(plain?.received?.bytes).toBeGreaterThan(100);
  expect(translated).toMatchObject({
    ...{ ...established, ...web },
    nat: [{ kind: "destination", from: "192.0.2.1:80", to: `${guest}:7` }],
  });
});

/** Runs in a namespace until the test has ended. */
function program(namespace: Namespace, script: string): ChildProcess {
  const args = ["netns", "exec", namespace.name, nodePath, "-e", script];
  const child = spawn(findTool("ip"), args, { stdio: ["ignore", "pipe", "pipe"] });
  stack.defer(async () => {
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  });
  return child;
}
