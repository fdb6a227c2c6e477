import { describe, expect, it } from "vitest";
import type { DaemonConfig } from "../../../../src/daemon/config.ts";
import { judgeHugePages } from "../../../../src/daemon/doctor/files/guests.ts";
import {
  judgeJournal,
  judgeLatency,
  judgeSpace,
} from "../../../../src/daemon/doctor/files/state.ts";
import { parseInterfaces } from "../../../../src/daemon/doctor/host/interfaces.ts";
import { missingCapabilities, openFiles } from "../../../../src/daemon/doctor/host/machine.ts";
import {
  checkArrivals,
  checkGuestNetworks,
  checkUnderlay,
} from "../../../../src/daemon/doctor/host/networks.ts";
import { judgeService } from "../../../../src/daemon/doctor/host/service.ts";
import { availableMib, judgeRoom } from "../../../../src/daemon/doctor/pair/guests.ts";
import { compareHypervisors } from "../../../../src/daemon/doctor/pair/hypervisors.ts";
import { judge } from "../../../../src/daemon/doctor/pair/path.ts";
import { readCounts } from "../../../../src/daemon/doctor/pair/path-counter.ts";
import { judgeOffset, overlap } from "../../../../src/daemon/doctor/pair/peer.ts";

const topic = { id: "x", why: "y" };

describe("this host", () => {
  it("needs the capabilities that routes and taps take", () => {
    expect(missingCapabilities("CapEff:\t000001ffffffffff\n")).toEqual([]);
    expect(missingCapabilities("CapEff:\t00000000a80425fb\n")).toEqual([
      "CAP_NET_ADMIN",
      "CAP_SYS_ADMIN",
    ]);
    expect(missingCapabilities("")).toEqual([]);
  });

  it("tells how many files the daemon may open", () => {
    const limits = (soft: string) =>
      `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${soft}                 65536                files     \n`;
    expect([openFiles(limits("1024")), openFiles(limits("unlimited")), openFiles("")]).toEqual([
      ...[1024, Number.MAX_SAFE_INTEGER, null],
    ]);
  });

  it.each([
    ["LoadState=not-found\nActiveState=inactive\n", "warn", "there is no unit"],
    ["LoadState=loaded\nActiveState=failed\n", "warn", "the unit is failed"],
    ["LoadState=loaded\nActiveState=active\nKillMode=control-group\n", "warn", "would end guests"],
    [
      "LoadState=loaded\nActiveState=active\nKillMode=process\nWatchdogUSec=0\n",
      "warn",
      "no watchdog",
    ],
    [
      "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nKillMode=process\nWatchdogUSec=30s\n",
      "ok",
      "watchdog after 30s",
    ],
  ])("judges its unit: %j", (output, result, words) => {
    const check = judgeService(output);
    expect(check).toMatchObject({ result, detail: expect.stringContaining(words) });
    expect(check.mend === null).toBe(result === "ok");
  });

  it("needs room and a disk that writes soon", () => {
    expect(judgeSpace("/s", 1e9, 0.5).result).toBe("ok");
    expect(judgeSpace("/s", 1e6, 0.5)).toMatchObject({
      result: "fail",
      mend: expect.stringContaining("/s"),
    });
    expect(judgeSpace("/s", 1e9, 0).result).toBe("warn");
    expect(judgeLatency([0.2, 0.3, 90]).result).toBe("ok");
    expect(judgeLatency([25, 30, 40])).toMatchObject({
      result: "warn",
      detail: expect.stringMatching(/^30.00 ms/),
    });
  });

  it("needs a journal without damage", () => {
    const whole = { records: [], keptBytes: 8, tornBytes: 3, damage: [] };
    expect(judgeJournal("/j", whole)).toMatchObject({
      result: "ok",
      detail: expect.stringContaining("3 bytes"),
    });
    const damage = [{ reason: "damaged-record" as const, atByte: 100, lengthBytes: 20 }];
    expect(judgeJournal("/j", { ...whole, damage })).toMatchObject({
      ...{ result: "fail", mend: "sojourn journal show --file /j" },
    });
  });

  it("needs as many huge pages as its largest guest asks for", () => {
    const meminfo = (free: number) =>
      `HugePages_Total:     100\nHugePages_Free:      ${free}\nHugepagesize:       2048 kB\n`;
    expect(judgeHugePages(meminfo(64), 128).result).toBe("ok");
    expect(judgeHugePages(meminfo(10), 128)).toMatchObject({
      ...{ result: "fail", mend: "sysctl -w vm.nr_hugepages=154" },
    });
  });
});

describe("its networks", () => {
  const link = (name: string, more: object) => ({
    ...{ ifindex: 1, ifname: name, flags: ["UP"], mtu: 1500, address: "02:00:00:00:00:01" },
    addr_info: [],
    ...more,
  });
  const config = { host: { name: "host-a", underlayAddress: "172.16.1.2" } };
  const networks = [{ subnet: "10.1.0.0/24", gateway: "10.1.0.1", bridge: "guests0" }];
  const read = (...links: object[]) => parseInterfaces(JSON.stringify(links));
  const inet = (local: string, prefixlen: number) => ({ family: "inet", local, prefixlen });

  it("are named when they are not there", async () => {
    const none = read({}, link("lo", {}));
    expect(checkUnderlay(config, none)).toMatchObject([{ id: "underlay", result: "fail" }]);
    const [bridge] = await checkGuestNetworks(networks, none);
    expect(bridge).toMatchObject({ id: "bridge", subject: "guests0", result: "fail" });
    expect(bridge?.mend?.split("\n")).toEqual([
      "ip link add name guests0 address 02:53:67:75:65:73 type bridge",
      "ip address add 10.1.0.1/24 dev guests0",
      "ip link set dev guests0 up",
    ]);
  });

  it("need the address at which guests arrive, where it is one of its own", () => {
    const links = read(link("eth1", { addr_info: [inet("198.51.100.7", 24)] }));
    const arriving = (address: string | null) =>
      checkArrivals({ ...config, migration: { address } } as DaemonConfig, links);
    expect(arriving(null)).toEqual([]);
    expect(arriving("198.51.100.7")).toMatchObject([{ id: "migration-address", result: "ok" }]);
    expect(arriving("198.51.100.8")).toMatchObject([{ result: "fail" }]);
  });

  it("need their addresses, a MAC address of their own, and room for tunnels", async () => {
    const eth0 = link("eth0", { mtu: 1400, addr_info: [inet("172.16.1.2", 24)] });
    const guests0 = link("guests0", { linkinfo: { info_kind: "bridge" }, flags: [] });
    const port = link("tap0", { master: "guests0" });
    const links = read(eth0, guests0, port);
    expect(checkUnderlay(config, links)).toMatchObject([
      { id: "underlay", result: "ok" },
      { id: "underlay-mtu", result: "warn", mend: "ip link set dev eth0 mtu 1500" },
    ]);
    expect(await checkGuestNetworks(networks, links)).toMatchObject([
      { result: "fail", mend: "ip link set dev guests0 up" },
      { result: "fail", mend: "ip address add 10.1.0.1/24 dev guests0" },
      {
        id: "bridge-mac",
        result: "warn",
        mend: "ip link set dev guests0 address 02:00:00:00:00:01",
      },
    ]);
  });

  it("on a LAN with a gateway of its own need a port to it, and an address beside the gateway's", async () => {
    const lan = networks.map((network) => ({ ...network, port: "lan0" }));
    const kind = { linkinfo: { info_kind: "bridge" } };
    const port = link("lan0", { master: "guests0", address: "02:00:00:00:00:02" });
    const about = async (...links: object[]) =>
      (await checkGuestNetworks(lan, read(...links)))
        .filter(({ id }) => id === "bridge")
        .map(({ result, detail }) => `${result}: ${detail}`);
    expect(
      await about(link("guests0", { ...kind, addr_info: [inet("10.1.0.2", 24)] }), port),
    ).toEqual(["ok: for 10.1.0.0/24"]);
    const loose = link("lan0", { address: "02:00:00:00:00:02" });
    expect(
      await about(link("guests0", { ...kind, addr_info: [inet("10.9.0.2", 24)] }), loose),
    ).toEqual([
      "fail: lan0 is none of its ports",
      "fail: this host has no address of 10.1.0.0/24 on it",
    ]);
    expect(await about(link("guests0", { ...kind, addr_info: [inet("10.1.0.1", 24)] }))).toEqual([
      "fail: its port lan0 does not exist",
      "fail: 10.1.0.1 is this host's own address and not another machine's",
    ]);
  });

  it.each(["", "{}", '[{"ifname": 1}]', "[1]", "[null]"])("are not read from %j", (text) => {
    const read = () => parseInterfaces(text);
    if (text === "[null]") expect(read()).toEqual([]);
    else if (text === "[1]") expect(read()).toEqual([]);
    else expect(read).toThrow(expect.objectContaining({ code: "SOJ_DOCTOR_OUTPUT" }));
  });
});

describe("a pair of hosts", () => {
  it("needs clocks that agree", () => {
    expect(judgeOffset(topic, { offsetMs: 3, errorMs: 1 }).result).toBe("ok");
    expect(judgeOffset(topic, { offsetMs: -5_000, errorMs: 1 }).result).toBe("warn");
    expect(judgeOffset(topic, { offsetMs: 3.6e6, errorMs: 1 })).toMatchObject({
      ...{ result: "fail", mend: expect.stringContaining("chrony") },
    });
  });

  it("has guest subnets of its own", () => {
    expect(overlap("10.1.0.0/24", "10.2.0.0/24")).toBe(false);
    expect(overlap("10.0.0.0/8", "10.2.0.0/24")).toBe(true);
    expect(overlap("10.2.0.128/25", "10.2.0.0/24")).toBe(true);
  });

  it("has hypervisors of one kind", () => {
    const kvm = { host: "a", version: "10.0.2", accelerator: "kvm", streamTls: true } as const;
    expect(compareHypervisors(kvm, { ...kvm, host: "b" }).result).toBe("ok");
    expect(compareHypervisors(kvm, { ...kvm, version: "9.2.1" }).result).toBe("warn");
    expect(compareHypervisors(kvm, { ...kvm, accelerator: "tcg" }).result).toBe("fail");
    expect(compareHypervisors(kvm, { ...kvm, streamTls: false }).result).toBe("fail");
  });

  it("has room for a guest", () => {
    const guest = { memory_mib: 2048, vcpus: 2, machine: "q35" } as const;
    const room = { missing_files: [], available_mib: 4000, processors: 4, has_machine: true };
    const result = (change: object) => judgeRoom(topic, "b", guest, { ...room, ...change }).result;
    expect(result({})).toBe("ok");
    expect(result({ missing_files: ["/srv/web1.qcow2"] })).toBe("fail");
    expect(result({ available_mib: 100 })).toBe("fail");
    expect(result({ has_machine: false })).toBe("fail");
    expect(result({ processors: 1 })).toBe("warn");
    expect(availableMib("MemTotal: 1 kB\nMemAvailable:    2097152 kB\n")).toBe(2048);
  });

  it("needs tunnels that carry full-size packets both ways", () => {
    const passage = (from: string, to: string, all: number, full: number) => ({
      ...{ from, to, sent: { full: 1480 }, arrived: { all, full } },
    });
    const judged = (wanted: "ipip" | "vxlan", ...passages: ReturnType<typeof passage>[]) =>
      judge(topic, { wanted }, "ipip", passages);
    const [there, back] = [passage("a", "b", 8, 4), passage("b", "a", 8, 4)];
    expect(judged("ipip", there, back)).toMatchObject({ result: "ok" });
    expect(judged("ipip", there, passage("b", "a", 0, 0))).toMatchObject({
      ...{ result: "fail", detail: "nothing passes from b to a" },
    });
    expect(judged("vxlan", passage("a", "b", 0, 0), back).result).toBe("warn");
    expect(judged("ipip", passage("a", "b", 4, 0), back)).toMatchObject({
      ...{ result: "fail", detail: "packets of 1480 bytes do not pass from a to b" },
    });
  });

  it("counts what came out of a tunnel", () => {
    const rule = (comment: string, packets: number) => ({
      rule: { comment, expr: [{ match: {} }, { counter: { packets, bytes: 1 } }] },
    });
    const text = JSON.stringify({ nftables: [{ metainfo: {} }, rule("all", 8), rule("full", 4)] });
    expect(readCounts(text)).toEqual({ all: 8, full: 4 });
    expect(() => readCounts("[]")).toThrow(expect.objectContaining({ code: "SOJ_DOCTOR_OUTPUT" }));
  });
});
