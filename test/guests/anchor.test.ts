import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { labNodePrefix } from "../../src/lab/index.ts";
import { kernelState, TestLab } from "../support/lab.ts";
import { moreEchoes, openSession } from "./support/echo-session.ts";
import { PingStream } from "./support/ping-stream.ts";

const guest = "10.101.0.10";

let lab: TestLab;

beforeAll(async () => {
  const size = ["--hosts", "2", "--anchors", "1", "--guest-home", "anchor-a"];
  lab = await TestLab.up(`anchor${process.pid}`, size);
});

afterAll(() => lab?.[Symbol.asyncDispose]());

test("a guest starts behind an anchor, which says where it is and lets nobody start it twice", async () => {
  const list = async (node: string) =>
    JSON.parse(await lab.run(node, ["sojourn", "guest", "ls", "--json"]));
  expect(await list("host-a")).toMatchObject([{ state: "running", home: "anchor-a" }]);
  expect(await list("anchor-a")).toMatchObject([{ state: "away", host: "host-a" }]);
  const hosts = JSON.parse(await lab.run("host-a", ["sojourn", "host", "ls", "--json"]));
  expect(hosts).toMatchObject([
    { name: "anchor-a", role: "anchor", health: "ok", capacity: { accelerator: null } },
    { name: "host-a", role: "host" },
    { name: "host-b", role: "host" },
  ]);
  const etc = (host: string) => `/run/sojourn-lab/${lab.name}/nodes/${host}/etc/guests/web1.toml`;
  const definition = readFileSync(etc("host-a"), "utf8");
  await lab.run("host-b", [
    "sh",
    "-c",
    `cat > /etc/sojourn/guests/web1.toml <<'E'\n${definition}\nE`,
  ]);
  const twice = await lab.exec("host-b", ["sojourn", "guest", "start", "web1"]);
  expect(twice).toMatchObject({ exitCode: 3, stderr: expect.stringContaining("is at host-a") });
  const there = await lab.migrate("host-a", "web1", "anchor-a");
  expect(there).toMatchObject({ exitCode: 3, error: { code: "SOJ_HOST_IS_ANCHOR" } });
});

test("its traffic goes on while the anchor's daemon is killed and comes back", async () => {
  await using session = await openSession(lab, guest);
  const before = await kernelState(lab, "anchor-a");
  const pings = await PingStream.start(labNodePrefix(lab.name, "client"), guest);
  const fromMs = Date.now();
  await lab.cli(["lab", "kill", "--lab", lab.name, "anchor-a"]);
  await moreEchoes(session, 50);
  await lab.cli(["lab", "restart", "--lab", lab.name, "anchor-a"]);
  await moreEchoes(session, 50);
  await pings.replies(20);
  const { requests, lost } = pings.between(fromMs, Date.now() - 100);
  await pings[Symbol.asyncDispose]();
  expect(requests).toBeGreaterThan(50);
  expect(lost).toEqual([]);
  expect(await kernelState(lab, "anchor-a")).toEqual(before);
  expect(await session.finish()).toMatchObject({ broken: null, wrong: null });
});

test("when it has ended its address is free, nothing is left at the anchor, and another host may start it", async () => {
  await lab.run("host-a", ["sojourn", "guest", "stop", "web1"]);
  const routes = () => lab.run("anchor-a", ["ip", "route", "show", "proto", "183"]);
  await expect.poll(routes, { timeout: 10_000 }).toBe("");
  expect(await lab.run("anchor-a", ["sojourn", "guest", "ls", "--json"])).toBe("[]");
  await lab.run("host-b", ["sojourn", "guest", "start", "web1"]);
  await using session = await openSession(lab, guest);
  expect(await session.finish()).toMatchObject({ broken: null, wrong: null });
});
