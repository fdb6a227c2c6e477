import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fail, onHost } from "../../../../src/daemon/doctor/check.ts";
import { applySettings, mergeSettings, safeSettings } from "../../../../src/daemon/doctor/fix.ts";
import { checkSwitches } from "../../../../src/daemon/doctor/host/switches.ts";

const devices = { underlay: "eth0.100", bridges: ["guests0"] };

const good: Record<string, string> = {
  "net/ipv4/ip_forward": "1",
  "net/ipv4/conf/eth0.100/forwarding": "1",
  "net/ipv4/conf/guests0/forwarding": "1",
  "net/ipv4/conf/all/rp_filter": "0",
  "net/ipv4/conf/eth0.100/rp_filter": "0",
  "net/ipv4/conf/guests0/rp_filter": "2",
  "net/ipv4/conf/all/send_redirects": "0",
  "net/ipv4/conf/guests0/send_redirects": "0",
  "net/ipv4/neigh/guests0/proxy_delay": "80",
};

async function examine(changes: Record<string, string>) {
  const values = { ...good, ...changes };
  const checks = await checkSwitches(devices, async (path) => values[path] ?? null);
  return { checks, wrong: checks.filter(({ result }) => result !== "ok") };
}

describe("kernel switches", () => {
  it("are in order on a host that is", async () => {
    expect((await examine({})).wrong).toEqual([]);
  });

  it.each([
    ["net/ipv4/ip_forward", "0", "forwarding", "fail", "sysctl -w net.ipv4.ip_forward=1"],
    [
      "net/ipv4/conf/eth0.100/forwarding",
      "0",
      "forwarding",
      "fail",
      "sysctl -w net/ipv4/conf/eth0.100/forwarding=1",
    ],
    [
      "net/ipv4/conf/guests0/send_redirects",
      "1",
      "send-redirects",
      "warn",
      "sysctl -w net.ipv4.conf.guests0.send_redirects=0",
    ],
  ])("%s = %s is named with the line that mends it", async (path, value, id, result, mend) => {
    const { wrong } = await examine({ [path]: value });
    expect(wrong).toMatchObject([{ id, result, mend, fixable: true }]);
    expect(wrong[0]?.why).toBeTruthy();
  });

  it("filter strictly where the larger of both values is 1", async () => {
    const { wrong } = await examine({ "net/ipv4/conf/all/rp_filter": "1" });
    expect(wrong).toMatchObject([{ id: "rp-filter", subject: "eth0.100", result: "warn" }]);
  });
});

describe("--fix", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "sojourn-fix-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("takes the switches of this host, and nothing else", async () => {
    const { checks } = await examine({ "net/ipv4/ip_forward": "0" });
    const topic = { id: "x", why: "y" };
    const others = [
      fail(topic, "not fixable", { mend: "sysctl -w net.ipv4.ip_forward=0" }),
      fail(topic, "no switch", { mend: "nft flush ruleset", fixable: true }),
      fail(topic, "not ours", { mend: "sysctl -w kernel.panic=1", fixable: true }),
      fail(topic, "a way out", { mend: "sysctl -w net/ipv4/../../x=1", fixable: true }),
      ...onHost("host-b", [
        fail(topic, "elsewhere", { mend: "sysctl -w net.ipv4.tcp_sack=0", fixable: true }),
      ]),
    ];
    expect(safeSettings([...onHost("host-a", checks), ...others], "host-a")).toEqual([
      { path: "net/ipv4/ip_forward", value: "1" },
    ]);
  });

  it("applies them, keeps them for the next boot, and tells what failed", async () => {
    const file = join(folder, "sysctl.d", "60-sojourn.conf");
    const written: string[] = [];
    const write = async (path: string, value: string) => {
      if (path.includes("guests0")) throw new Error("read-only");
      written.push(`${path}=${value}`);
    };
    const settings = [
      { path: "net/ipv4/ip_forward", value: "1" },
      { path: "net/ipv4/conf/guests0/rp_filter", value: "2" },
    ];
    const fixed = await applySettings(settings, file, write);
    expect(written).toEqual(["net/ipv4/ip_forward=1"]);
    expect(fixed.map(({ applied, error }) => [applied, error])).toEqual([
      [true, null],
      [false, "read-only"],
    ]);
    expect(await readFile(file, "utf8")).toMatch(/^# .*\nnet\/ipv4\/ip_forward = 1\n$/);
    await writeFile(file, "# mine\nnet.ipv4.ip_forward = 0\nvm.swappiness = 10\n");
    await applySettings(settings.slice(0, 1), file, write);
    const text = "# mine\nvm.swappiness = 10\nnet/ipv4/ip_forward = 1\n";
    expect(await readFile(file, "utf8")).toBe(text);
  });

  it("changes a file that it has written already not at all", () => {
    const settings = fc.array(
      fc.record({
        path: fc.constantFrom("net/ipv4/ip_forward", "net/ipv4/conf/eth0.1/rp_filter"),
        value: fc.constantFrom("0", "1", "2"),
      }),
      { minLength: 1, maxLength: 1 },
    );
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), settings, (text, wanted) => {
        const once = mergeSettings(text, wanted);
        expect(mergeSettings(once, wanted)).toBe(once);
      }),
    );
  });
});
