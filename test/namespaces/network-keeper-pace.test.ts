import { existsSync, readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { KeptBed, repaired, tunnel } from "./keeper-bed.ts";

/** What a host's keeper leaves alone, waits for, or does less and less often. */
const asItShouldBe = "the host's network is as it should be again";
const cannotRepair =
  "alarm: the host's network is not as it should be and cannot be repaired; tried again";
const contested =
  "alarm: somebody else keeps changing the host's network; it is repaired less and less often";
const patience = { timeout: 10_000, interval: 50 };
let bed: KeptBed;

beforeAll(async () => {
  bed = await KeptBed.up();
});

afterAll(() => bed?.[Symbol.asyncDispose]());

afterEach(() => bed.expectAsWanted());

test("what is not ours stays, and is no reason to look", async () => {
  await bed.rest();
  const before = await bed.kept.figures();
  const entries = bed.kept.log.length;
  await bed.run("ip link add name other0 type bridge");
  await bed.run("ip link set other0 up");
  await bed.run("ip route add 10.77.0.0/24 dev guests0");
  await bed.run("ip rule add pref 100 from 9.9.9.9 lookup 77");
  await bed.run("ip neigh add 10.1.0.99 lladdr 02:00:00:00:00:01 dev guests0 nud permanent");
  await bed.run("nft add table ip foreign");
  await bed.rest();
  const after = await bed.kept.figures();
  expect(after.lines - before.lines).toBeGreaterThan(5);
  expect(after.looks).toBe(before.looks);
  expect(bed.said(entries)).toEqual([]);
  // A repair leaves them alone as well.
  await bed.run("nft flush table ip sojourn");
  await expect.poll(() => bed.said(entries), patience).toEqual([repaired]);
  expect(await bed.run("nft list tables")).toContain("table ip foreign");
  expect(await bed.run("ip route")).toContain("10.77.0.0/24 dev guests0");
  expect(await bed.run("ip rule")).toContain("from 9.9.9.9 lookup 77");
  expect(await bed.run("ip neigh show dev guests0")).toContain("10.1.0.99");
  await bed.run("ip link del other0");
  await bed.run("ip route del 10.77.0.0/24");
  await bed.run("ip rule del pref 100");
  await bed.run("ip neigh del 10.1.0.99 dev guests0");
  await bed.run("nft delete table ip foreign");
});

test("something foreign in a route's place is left there with one alarm, until it goes", async () => {
  const entries = bed.kept.log.length;
  await bed.run("ip route replace 10.1.0.10/32 dev guests0 proto static");
  await expect.poll(() => bed.said(entries), patience).toEqual([cannotRepair]);
  await bed.run("nft flush ruleset");
  await bed.waits();
  expect(bed.said(entries)).toEqual([cannotRepair]);
  expect(await bed.run("ip route show 10.1.0.10")).toContain("dev guests0 proto static");
  await bed.run("ip route del 10.1.0.10/32 proto static");
  await expect
    .poll(() => bed.said(entries), patience)
    .toEqual([cannotRepair, asItShouldBe, repaired]);
});

test("something foreign in a tunnel's place does not keep the rest from being repaired", async () => {
  const entries = bed.kept.log.length;
  await bed.run(`ip link set ${tunnel} group default`);
  await expect.poll(() => bed.said(entries), patience).toEqual([cannotRepair]);
  await bed.run("ip rule del pref 18320");
  await expect.poll(() => bed.run("ip rule"), patience).toContain("from 10.2.0.20");
  await bed.run(`ip link set ${tunnel} group 183`);
  await expect.poll(() => bed.said(entries), patience).toContain(asItShouldBe);
});

test("changes of our own are no reason for a repair", async () => {
  const entries = bed.kept.log.length;
  for (let change = 0; change < 3; change += 1) await bed.kept.ask("change");
  await bed.rest();
  expect(bed.said(entries)).toEqual([]);
});

test.each(["hold", "postpone"] as const)("a repair waits for a switchover: %s", async (wait) => {
  await bed.rest();
  const before = await bed.kept.figures();
  await bed.kept.ask(wait);
  const entries = bed.kept.log.length;
  await bed.run("nft flush ruleset");
  await bed.waits();
  expect((await bed.kept.figures()).looks).toBe(before.looks);
  expect(bed.said(entries)).toEqual([]);
  await bed.kept.ask("release");
  await expect.poll(() => bed.said(entries), patience).toEqual([repaired]);
});

test("thousands of other routes cost no look and little time", async () => {
  await bed.rest();
  const before = await bed.kept.figures();
  const numbers = Array.from({ length: 1_000 }, (_, n) => `10.200.${n >> 8}.${n & 255}/32`);
  const batch = (verb: string) => numbers.map((prefix) => `route ${verb} ${prefix} dev guests0\n`);
  for (const verb of ["add", "del"]) {
    const input = batch(verb).join("");
    await bed.host.run("ip", ["-batch", "-"], { input });
  }
  const told = async () => (await bed.kept.figures()).lines - before.lines;
  await expect.poll(told, patience).toBeGreaterThanOrEqual(2_000);
  const after = await bed.kept.figures();
  expect(after.relevant).toBe(before.relevant);
  expect(after.looks).toBe(before.looks);
  expect(after.cpuMs - before.cpuMs).toBeLessThan(1_000);
});

test("events that were lost are a reason to look", async () => {
  await bed.rest();
  const entries = bed.kept.log.length;
  process.kill(bed.kept.pid, "SIGSTOP");
  try {
    const routes = Array.from(
      { length: 20_000 },
      (_, n) => `10.2${n >> 14}.${(n >> 8) & 63}.${n & 255}`,
    );
    for (const verb of ["add", "del"]) {
      const input = routes.map((to) => `route ${verb} ${to} dev guests0\n`).join("");
      await bed.host.run("ip", ["-batch", "-"], { input });
    }
    await bed.run("ip rule del pref 18320");
  } finally {
    process.kill(bed.kept.pid, "SIGCONT");
  }
  await expect.poll(() => bed.said(entries), patience).toEqual([repaired]);
  expect((await bed.kept.figures()).losses).toBeGreaterThan(0);
});

test("somebody who keeps changing the same is answered less and less often, with one alarm", async () => {
  await bed.rest();
  const entries = bed.kept.log.length;
  const repairs = () => bed.said(entries).filter((message) => message === repaired).length;
  const startedMs = performance.now();
  for (let change = 1; change <= 7; change += 1) {
    await bed.run("ip route flush table 18310");
    await expect.poll(repairs, { timeout: 10_000, interval: 20 }).toBe(change);
  }
  // Three or four at once, then pauses of 1, 2 and 4 seconds at least before the last.
  expect(performance.now() - startedMs).toBeGreaterThan(4_000);
  expect(bed.said(entries).filter((message) => message === contested)).toHaveLength(1);
});

test("the programs that listen end with a keeper that is killed", async () => {
  const { pid } = bed.kept;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  expect(children.length).toBeGreaterThanOrEqual(3);
  process.kill(pid, "SIGKILL");
  const left = () => children.filter((child) => existsSync(`/proc/${child}`));
  await expect.poll(left, { timeout: 5_000, interval: 20 }).toEqual([]);
});
