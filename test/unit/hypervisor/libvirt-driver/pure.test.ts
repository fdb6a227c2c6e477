import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readDomain } from "../../../../src/hypervisor/libvirt/domain-xml/read-domain.ts";
import { arrivalOf } from "../../../../src/hypervisor/libvirt/driver/arrival-description.ts";
import { guestEventOf } from "../../../../src/hypervisor/libvirt/driver/guest-event.ts";
import {
  progressOf,
  readJobStatistics,
} from "../../../../src/hypervisor/libvirt/driver/job-statistics.ts";
import { openStorage } from "../../../../src/hypervisor/libvirt/driver/open-storage.ts";
import { runStateOf } from "../../../../src/hypervisor/libvirt/driver/run-state.ts";
import {
  bandwidthMibps,
  downtimeMs,
  portOf,
  streamFlags,
  streamUri,
} from "../../../../src/hypervisor/libvirt/driver/stream-parameters.ts";
import { MigrateFlag } from "../../../../src/hypervisor/libvirt/rpc/constants/flags.ts";
import { parameter } from "../../../../src/hypervisor/libvirt/rpc/xdr/typed-parameter.ts";
import { SojournError } from "../../../../src/platform/errors.ts";
import { fakeDefinition, fakeXml } from "../../../support/fake-domain-host.ts";
import { smallDomain } from "../domain-xml/fixtures.ts";

describe("what libvirt says, in QEMU's words", () => {
  test.each([
    [1, 6, "running", "running"],
    [2, 0, "running", "running"],
    [3, 1, "paused", "paused"],
    [3, 2, "postmigrate", "inmigrate"],
    [3, 11, "inmigrate", "inmigrate"],
    [3, 5, "io-error", "io-error"],
    [4, 1, "shutdown", "shutdown"],
    [5, 4, "shutdown", "shutdown"],
    [6, 1, "internal-error", "internal-error"],
    [7, 0, "suspended", "suspended"],
    [99, 0, "unknown", "unknown"],
  ])("state %i for reason %i is %s, and %s on its way", (state, reason, here, arriving) => {
    expect(runStateOf({ state, reason }, false)).toBe(here);
    expect(runStateOf({ state, reason }, true)).toBe(arriving);
  });

  test("a job's statistics are a migration's progress", () => {
    const statistics = readJobStatistics({
      type: 2,
      parameters: [
        parameter.int("operation", 5),
        parameter.ullong("memory_total", 134_750_208n),
        parameter.ullong("memory_processed", 95_060_270n),
        parameter.ullong("memory_remaining", 4096n),
        parameter.ullong("memory_bps", 12_500_000n),
        parameter.ullong("memory_dirty_rate", 10n),
        parameter.ullong("memory_page_size", 4096n),
        parameter.ullong("memory_iteration", 3n),
        parameter.int("auto_converge_throttle", 20),
        parameter.string("errmsg", "words"),
      ],
    });
    expect(statistics).toMatchObject({ iteration: 3, downtimeMs: null, errorText: "words" });
    expect(progressOf(statistics, "active", null)).toEqual({
      ...{ status: "active", errorText: null, throttlePercent: null, dirtySyncCount: 3 },
      ...{ transferredBytes: 95_060_270, remainingBytes: 4096, totalBytes: 134_750_208 },
      ...{ dirtyBytesPerSecond: 40_960, bandwidthMbps: 100, throttlePercent: 20 },
    });
    expect(progressOf({ ...statistics, iteration: 1 }, "active", null)).toMatchObject({
      dirtyBytesPerSecond: null,
    });
  });

  test("an event keeps QEMU's stamp, and its data if they are an object", () => {
    const common = { callbackId: 1, domain: { name: "g", uuid: "", id: 1 }, event: "STOP" };
    const stamp = { seconds: 1_700_000_000n, microseconds: 1_500 };
    const read = (details: string | undefined) =>
      guestEventOf({ ...common, ...stamp, details } as never, 7);
    expect(read('{"status":"active"}')).toEqual({
      ...{ name: "STOP", data: { status: "active" } },
      ...{ timestampMs: 1_700_000_000_001.5, receivedMs: 7 },
    });
    for (const details of [undefined, "", "{", "[1]", "null", "3"]) {
      expect(read(details).data).toEqual({});
    }
  });
});

describe("what libvirt is told of a stream", () => {
  test("its flags leave the home's definition alone, and the guest paused", () => {
    const flags = streamFlags({ tls: false });
    const { live, paused, changeProtection, abortOnError, unsafe } = MigrateFlag;
    expect(flags).toBe(live | paused | changeProtection | abortOnError | unsafe);
    const all = { tls: true, autoConverge: true, allowsPostCopy: true };
    const { tls, autoConverge, postCopy } = MigrateFlag;
    expect(streamFlags(all)).toBe(flags | tls | autoConverge | postCopy);
  });

  test("its bandwidth is never less than it takes, and never nothing", () => {
    expect([0, 1, 2 ** 20, 10 * 2 ** 20 + 1].map(bandwidthMibps)).toEqual([2 ** 20, 1, 1, 10]);
    expect([0, 0.2, 1, 300].map(downtimeMs)).toEqual([1, 1, 1, 300]);
    for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => bandwidthMibps(wrong)).toThrow(SojournError);
      expect(() => downtimeMs(wrong)).toThrow(SojournError);
    }
  });

  test("it goes to an address, and the port of what libvirt answers is found", () => {
    expect(streamUri("192.0.2.7")).toBe("tcp://192.0.2.7");
    expect(streamUri("2001:db8::7", 49_152)).toBe("tcp://[2001:db8::7]:49152");
    for (const wrong of ["", "host-b", "fe80::1%eth0", "192.0.2.7:1"]) {
      expect(() => streamUri(wrong)).toThrow(SojournError);
    }
    fc.assert(
      fc.property(
        fc.oneof(fc.ipV4(), fc.ipV6()),
        fc.integer({ min: 1, max: 65_535 }),
        (host, port) => portOf(streamUri(host, port)) === port,
      ),
    );
    expect(portOf("tcp:host-b:49152")).toBe(49_152);
    fc.assert(
      fc.property(fc.string(), (text) => {
        const port = portOf(text);
        return port === null || (port > 0 && port < 65_536);
      }),
    );
  });
});

test("whatever another host says of a domain is judged with a typed error", () => {
  const cut = fc
    .tuple(fc.nat(fakeXml.length), fc.nat(fakeXml.length), fc.string())
    .map(([from, to, text]) => fakeXml.slice(0, from) + text + fakeXml.slice(to));
  fc.assert(
    fc.property(fc.oneof(fc.string(), cut), fc.base64String(), (description, cookie) => {
      try {
        const offer = { description, cookie };
        const arrival = arrivalOf(fakeDefinition, [{ tapName: "sjt0" }], offer);
        expect(arrival.uuid).toBe(fakeDefinition.uuid);
        expect(arrival.xml).toContain("sjt0");
      } catch (error) {
        if (!(error instanceof SojournError)) throw error;
      }
    }),
  );
});

test("a domain's open storage is its images and what they lie on", () => {
  const disk = (cache: string) => `<disk type='file' device='disk'>
    <driver name='qemu' type='qcow2'${cache}/><source file='/srv/a.qcow2'/>
    <backingStore type='file'><format type='raw'/><source file='/srv/base.raw'/><backingStore/></backingStore>
    <target dev='vda' bus='virtio'/></disk>`;
  const files = (cache: string) =>
    openStorage(readDomain(smallDomain(disk(cache))).disks, [
      { path: "/srv/b.raw", format: "raw", read_only: false },
      { path: "/srv/a.qcow2", format: "qcow2", read_only: false },
    ]);
  expect(files("")).toEqual({
    files: [
      { path: "/srv/a.qcow2", disk: 1, readOnly: false, usesPageCache: true, ignoresFlush: false },
      { path: "/srv/base.raw", disk: 1, readOnly: true, usesPageCache: true, ignoresFlush: false },
    ],
    replacedDisks: [0],
  });
  expect(files(" cache='none'").files[0]).toMatchObject({ usesPageCache: false });
  expect(files(" cache='unsafe'").files[0]).toMatchObject({ ignoresFlush: true });
});
