import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Handover } from "../../src/daemon/handover/schemas.ts";
import { killDaemon, labNodePrefix, restartDaemon } from "../../src/lab/index.ts";
import { findTool } from "../../src/platform/command.ts";
import { droppedAtSockets } from "../../src/probe/socket-drops.ts";
import { kernelState, TestLab } from "../support/lab.ts";
import { moreEchoes, openSession } from "./support/echo-session.ts";

const guest = "10.101.0.10";
const hosts = ["host-a", "host-b", "host-c"] as const;

let lab: TestLab;

beforeAll(async () => {
  const size = ["--hosts", "3", "--anchors", "2", "--topology", "bridged"];
  lab = await TestLab.up(`anchor${process.pid}`, [...size, "--guest-home", "anchor-a"]);
});

afterAll(() => lab?.[Symbol.asyncDispose]());

describe("a guest behind an anchor", () => {
  test("is known at both, runs at one host at a time, and not at the anchor", async () => {
    const list = async (node: string) =>
      JSON.parse(await lab.run(node, ["sojourn", "guest", "ls", "--json"]));
    expect(await list("host-a")).toMatchObject([{ state: "running", home: "anchor-a" }]);
    expect(await list("anchor-a")).toMatchObject([{ state: "away", host: "host-a" }]);
    const known = JSON.parse(await lab.run("host-a", ["sojourn", "host", "ls", "--json"]));
    expect(known).toMatchObject([
      { name: "anchor-a", role: "anchor", health: "ok", capacity: { accelerator: null } },
      { name: "anchor-b", role: "anchor" },
      ...hosts.map((name) => ({ name, role: "host" })),
    ]);
    copyDefinition("host-a", "host-b");
    const twice = await lab.exec("host-b", ["sojourn", "guest", "start", "web1"]);
    expect(twice).toMatchObject({ exitCode: 3, stderr: expect.stringContaining("is at host-a") });
    const there = await lab.migrate("host-a", "web1", "anchor-a");
    expect(there).toMatchObject({ exitCode: 3, error: { code: "SOJ_HOST_IS_ANCHOR" } });
  });

  if (process.env.SOJOURN_FAULTS_ALL) {
    test("moves a→b→c→a, the anchor's daemon killed in the middle of each: nothing is broken", async () => {
      const before = await states();
      await using session = await openSession(lab, guest);
      for (const [index, phase] of ["precopy", "resumed", "verifying"].entries()) {
        const [from = "", to = ""] = [hosts[index], hosts[(index + 1) % 3]];
        expect(await moveAndKill(from, to, phase)).toMatchObject({ outcome: "completed" });
        await moreEchoes(session, 20);
      }
      expect(await session.finish()).toMatchObject({ broken: null, wrong: null });
      expect(await states()).toEqual(before);
    });
  }
});

describe("a handover to another anchor on the same LAN", () => {
  test("says what it would do, and does nothing", async () => {
    const before = await states();
    // Some seconds after a start the anchor asks whether it has succeeded; until then the guest is busy.
    const plan = () => handOver("anchor-a", "anchor-b", ["--dry-run"]);
    const planned = await vi.waitFor(plan, 30_000);
    const guests = [{ guest: "web1", address: guest, host: "host-a" }];
    expect(planned).toMatchObject({ state: "planned", guests });
    expect(await states()).toEqual(before);
    const wrong = ["sojourn", "anchor", "handover", "--to", "host-b"];
    expect(await lab.exec("anchor-a", wrong)).toMatchObject({
      ...{ exitCode: 3, stderr: expect.stringContaining("SOJ_NOT_ANCHOR") },
    });
  });

  test("loses nothing at 1 kHz, and leaves nothing at the old one", async () => {
    await using session = await openSession(lab, guest);
    const pinged = await pingWhile(async () => {
      expect(await handOver("anchor-a", "anchor-b")).toMatchObject({ state: "done", error: null });
      await moreEchoes(session, 50);
    });
    expect(pinged).toMatchObject({ lost: 0, duplicates: 0 });
    expect(await session.finish()).toMatchObject({ broken: null, wrong: null });
    expect(await lab.run("anchor-a", ["ip", "route", "show", "proto", "183"])).toBe("");
    const shown = JSON.parse(
      await lab.run("host-a", ["sojourn", "guest", "show", "web1", "--json"]),
    );
    expect(shown).toMatchObject({ state: "running", home: "anchor-b" });
    const refused = await lab.exec("anchor-a", [
      "sojourn",
      "anchor",
      "handover",
      "--to",
      "anchor-b",
    ]);
    expect(refused.stderr).toContain("SOJ_HANDOVER_EMPTY");
  });

  if (process.env.SOJOURN_FAULTS_ALL) {
    test("goes on when daemons of both anchors and of the guest's host die in its middle", async () => {
      await using session = await openSession(lab, guest);
      const nodes = ["anchor-b", "anchor-a", "host-a"];
      const pinged = await pingWhile(async () => {
        await lab.run("anchor-b", ["curl", ...begin("anchor-a")]);
        for (const node of nodes) {
          await killDaemon(lab.name, node);
          await restartDaemon(lab.name, node);
        }
        await expect.poll(shown, { timeout: 60_000, interval: 300 }).toMatch(/^(done|undone)$/);
        await moreEchoes(session, 20);
      });
      expect(pinged.lost).toBe(0);
      expect(await session.finish()).toMatchObject({ broken: null, wrong: null });
      const answering = await Promise.all(
        ["anchor-a", "anchor-b"].map((node) => lab.run(node, ["ip", "neigh", "show", "proxy"])),
      );
      expect(answering.filter((text) => text.includes(guest))).toHaveLength(1);
    });
  }

  const shown = async () =>
    JSON.parse(await lab.run("anchor-b", ["sojourn", "anchor", "show", "--json"])).state;
  const begin = (to: string) => [
    ...["-sS", "--fail-with-body", "--unix-socket", "/run/sojourn/sojourn.sock"],
    ...["-H", "content-type: application/json", "-d", JSON.stringify({ to })],
    "http://localhost/v1/anchor/handover",
  ];
});

test("when it has ended its address is free, and another host may start it behind the anchor that has it", async () => {
  await lab.run("host-a", ["sojourn", "guest", "stop", "web1"]);
  for (const node of ["anchor-a", "anchor-b"]) {
    const routes = () => lab.run(node, ["ip", "route", "show", "proto", "183"]);
    await expect.poll(routes, { timeout: 10_000 }).toBe("");
  }
  await lab.run("host-b", ["sojourn", "guest", "start", "web1"]);
  await using session = await openSession(lab, guest);
  expect(await session.finish()).toMatchObject({ broken: null, wrong: null });
});

async function handOver(from: string, to: string, options: string[] = []): Promise<Handover> {
  const command = ["sojourn", "anchor", "handover", "--to", to, "--json", ...options];
  const lines = (await lab.run(from, command)).trim().split("\n");
  return JSON.parse(lines.at(-1) ?? "");
}

/** Moves web1, and kills the anchor's daemon as soon as the phase is told. */
async function moveAndKill(from: string, to: string, phase: string): Promise<unknown> {
  const command = ["sojourn", "migrate", "web1", "--to", to, "--json", "--no-probe"];
  const [program = "", ...args] = [...labNodePrefix(lab.name, from), ...command];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  let last: unknown;
  let back: Promise<unknown> = Promise.resolve();
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line);
    if (event.type === "phase" && event.phase === phase) {
      back = killDaemon(lab.name, "anchor-a").then(() => restartDaemon(lab.name, "anchor-a"));
    }
    last = event;
  }
  await Promise.all([closed, back]);
  return last;
}

/** Echo requests at 1 kHz from the client by the system's ping(8), from before `work` until after it. */
async function pingWhile(work: () => Promise<void>) {
  const [program = "", ...prefix] = labNodePrefix(lab.name, "client");
  const args = [...prefix, findTool("ping"), "-n", "-l", "20", "-i", "0.001", guest];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  const answered = new Set<number>();
  let duplicates = 0;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const sequence = Number(/ icmp_seq=(\d+) ttl=/.exec(line)?.[1]);
    if (Number.isNaN(sequence)) return;
    if (answered.has(sequence)) duplicates += 1;
    answered.add(sequence);
  });
  let unread = 0;
  try {
    await work();
    // A ping that had no turn for long has lost answers itself.
    unread = droppedAtSockets(child.pid ?? 0) ?? 0;
  } finally {
    child.kill("SIGINT");
    await closed;
  }
  // What is on its way when ping ends is nobody's loss.
  const sent = [...answered].reduce((most, one) => Math.max(most, one), 0);
  return { sent, lost: sent - answered.size - unread, unread, duplicates };
}

/** Kernel state of all that is concerned; a tunnel that was made anew is the same. */
async function states(): Promise<unknown> {
  const nodes = [...hosts, "anchor-a", "anchor-b"];
  const all = await Promise.all(nodes.map((node) => kernelState(lab, node)));
  return all.map(({ links = "", routes, rules, nft, proxies, permanentNeighbours, sysctls }) => ({
    links: links.split("\n").map((line) => line.split(/[@ ]/)[0]),
    ...{ routes, rules, nft, proxies, permanentNeighbours, sysctls },
  }));
}

function copyDefinition(from: string, to: string): void {
  const path = (host: string) => `/run/sojourn-lab/${lab.name}/nodes/${host}/etc/guests/web1.toml`;
  writeFileSync(path(to), readFileSync(path(from)), { mode: 0o600 });
}
