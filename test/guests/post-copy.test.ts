import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaultHosts, hosts } from "../faults/support/fault-hosts.ts";
import { FollowedMigration } from "../faults/support/followed-migration.ts";
import { TestLab } from "../support/lab.ts";
import { type EchoSession, moreEchoes, openSession } from "./support/echo-session.ts";

/** What the guest writes and checks without pause, and at which pace: more than the stream may carry. */
const guestOptions = "sojourn.memcheck=32 sojourn.dirty_mbps=400";
const policy = "[migration]\nmax_bandwidth_mbps = 80\ndowntime_limit_ms = 30";

describe("a guest that writes faster than its stream goes", () => {
  let lab: TestLab;
  let nodes: FaultHosts;
  let session: EchoSession;

  beforeAll(async () => {
    const options = ["--hosts", "2", "--guests", "2", "--guest-append", guestOptions];
    lab = await TestLab.up(`postcopy${process.pid}`, options);
    nodes = new FaultHosts(lab);
    for (const host of hosts) await lab.configure(host, policy);
    session = await openSession(lab);
  });

  afterAll(async () => {
    await session?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  test("runs at its destination before its memory is there, waits out a link that is cut for 5 s, and loses nothing", async () => {
    const moving = move("host-a", "host-b");
    await moving.event((line) => line.type === "progress" && line.post_copy === true);
    await nodes.run("router", ["nft", `table ip cut {\nchain forward {\n${cut}\n}\n}`]);
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    // Neither copy runs that should not, however long it lasts.
    expect(
      nodes
        .qemuProcesses()
        .map(({ node }) => node)
        .toSorted(),
    ).toEqual([...["host-a", "host-a", "host-b"]]);
    await nodes.run("router", ["nft", "delete", "table", "ip", "cut"]);
    const { exitCode, last } = await moving.ended;
    expect({ exitCode, last }).toMatchObject({
      exitCode: 0,
      last: { outcome: "completed", post_copy: { recovered: 1 } },
    });
    expect(
      nodes
        .qemuProcesses()
        .map(({ node }) => node)
        .toSorted(),
    ).toEqual([...["host-a", "host-b"]]);
    await expectWhole();
    await moreEchoes(session, 20);
  });

  test("is lost with its destination's process while its memory follows, and nothing of it is left", async () => {
    const moving = move("host-b", "host-a");
    await moving.event((line) => line.type === "progress" && line.post_copy === true);
    await nodes.end(nodes.qemuOn("host-a", "web1"));
    expect(await moving.ended).toMatchObject({
      exitCode: 9,
      last: { type: "error", code: "SOJ_POST_COPY_LOST", guest_state: "lost" },
    });
    expect(nodes.qemuProcesses().map(({ node }) => node)).toEqual(["host-a"]);
    for (const host of hosts) expect(await nodes.unfinished(host)).toEqual([]);
    await expect.poll(() => nodes.placeAt("host-b")).toBeNull();
    const neighbour = await openSession(lab, "10.1.0.11");
    await neighbour[Symbol.asyncDispose]();
    await nodes.run("host-a", ["sojourn", "guest", "start", "web1"]);
  });

  function move(from: string, to: string): FollowedMigration {
    const options = ["--post-copy", "--json", "--no-probe"];
    return new FollowedMigration(
      nodes.spawn(from, ["sojourn", "migrate", "web1", "--to", to, ...options]),
    );
  }

  async function expectWhole(): Promise<void> {
    const address = "http://10.1.0.10/memcheck";
    const told = await lab.run("client", ["busybox", "wget", "-qO-", address]);
    expect(JSON.parse(told)).toMatchObject({ corruptions: 0, mib: 32 });
  }
});

/** Packets between the hosts vanish, both ways, and nobody is told. */
const cut = [
  "type filter hook forward priority 0",
  "ip saddr { 172.16.1.2, 172.16.2.2 } ip daddr { 172.16.1.2, 172.16.2.2 } drop",
].join("\n");
