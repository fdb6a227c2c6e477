import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { dnsConfig, dnsSection } from "../../../../src/daemon/dns/config.ts";
import { isDomainName, nameOf } from "../../../../src/daemon/dns/guest-name.ts";
import { leaveNamesToHooks } from "../../../../src/daemon/dns/hand-over.ts";
import { MovedNames } from "../../../../src/daemon/dns/moved-names.ts";
import { nameTask } from "../../../../src/daemon/dns/name-task.ts";
import { updateScript } from "../../../../src/daemon/dns/update-script.ts";
import type { Drain, GuestRecord } from "../../../../src/migrator/records.ts";
import { namePattern } from "../../../../src/platform/names.ts";
import { diskStorage } from "../../../../src/platform/storage.ts";
import { aToB, recordOf, temporaryFolder } from "../../migrator/support.ts";

const section = { server: "192.0.2.53", zone: "Guests.Example.", key_file: "/etc/sojourn/dns.key" };

describe("[dns]", () => {
  it("has guests' names under the zone, or as a template says", () => {
    const config = dnsConfig(dnsSection.parse(section));
    expect(config).toMatchObject({
      zone: "guests.example",
      name: "{guest}.guests.example",
      port: 53,
    });
    expect(dnsConfig(undefined)).toBeNull();
    const named = { ...section, name: "vm-{guest}.prod.guests.example" };
    expect(nameOf(dnsConfig(dnsSection.parse(named)) ?? expect.fail(), "Web1")).toBe(
      "vm-web1.prod.guests.example",
    );
  });

  it.each([
    { zone: "guests example" },
    { zone: "" },
    { server: "ns.example" },
    { name: "web.guests.example" },
    { name: "{guest}.elsewhere.example" },
    { key_file: "dns.key" },
    { ttl: -1 },
    { secret: "x" },
  ])("with %j is refused", (change) => {
    expect(dnsSection.safeParse({ ...section, ...change }).success).toBe(false);
  });
});

test("no guest's name brings anything but a name into an update", () => {
  const guest = fc.oneof(fc.string(), fc.stringMatching(namePattern));
  const settings = { zone: "guests.example", name: "{guest}.guests.example" };
  const place = { server: "192.0.2.53", port: 53, ttlS: 60, zone: settings.zone };
  fc.assert(
    fc.property(guest, (text) => {
      const name = nameOf(settings, text);
      if (name === null) return;
      expect(isDomainName(name)).toBe(true);
      const lines = updateScript(place, { name, remove: ["10.1.0.10"], add: "10.2.0.2" }).split(
        "\n",
      );
      expect(lines).toEqual([
        "server 192.0.2.53 53",
        "zone guests.example.",
        `update delete ${name}. A 10.1.0.10`,
        `update add ${name}. 60 A 10.2.0.2`,
        ...["send", "quit", ""],
      ]);
      expect(name).toMatch(/^[a-z0-9._-]+\.guests\.example$/);
    }),
  );
  const change = { remove: ["10.1.0.10"], add: null };
  expect(() => updateScript(place, { ...change, name: "a\nsend" })).toThrow(/no name/);
  expect(() => updateScript(place, { ...change, name: "a", remove: ["a\nb"] })).toThrow(
    /no address/,
  );
  expect(nameOf(settings, `${"a".repeat(64)}`)).toBeNull();
});

const drain: Drain = {
  ...{ migration: "m1", renumbered: "10.2.0.2", begunMs: 1, nameUpdatedMs: null },
  ...{ idleTimeoutS: 60, capS: null, nameTtlS: 5 },
};
const home = recordOf("web1", 10);
const hosting: NonNullable<GuestRecord["hosting"]> = {
  ...{ stage: "running", tableIndex: 0, homeTunnel: null, sourceTunnel: null },
};
const away: GuestRecord = { ...home, redirect: { host: "host-b", tunnel: aToB, drain } };
const moved = {
  ...{ guest: "web1", name: "web1.guests.test", home: "10.1.0.10", away: "10.2.0.2" },
  migration: "m1",
};
const updated: GuestRecord = {
  ...away,
  redirect: { host: "host-b", tunnel: aToB, drain: { ...drain, nameUpdatedMs: 2 } },
};
const departed: NonNullable<GuestRecord["departed"]> = {
  ...{ host: "host-b", migration: "m1", renumbered: "10.2.0.2", reason: "last-flow", atMs: 3 },
};

describe("a guest's name", () => {
  const task = (
    record: GuestRecord | undefined,
    known?: typeof moved,
    others: GuestRecord[] = [],
  ) => nameTask("host-a", record, known, others);
  const move = { kind: "move", from: "10.1.0.10", to: "10.2.0.2", migration: "m1" };
  const setBack = { kind: "set-back", from: "10.2.0.2", to: "10.1.0.10", migration: "m1" };

  it("is moved when the guest was renumbered, until that is written down", () => {
    expect(task(away)).toEqual(move);
    expect(task(away, moved)).toEqual(move);
    expect(task(updated, moved)).toBeNull();
    // [dns] came later than the drain.
    expect(task(updated)).toEqual(move);
    expect(nameTask("host-b", away, undefined, [])).toBeNull();
  });

  it("stays where it is while the guest comes back, and when its redirect is retired", () => {
    expect(task({ ...updated, hosting: { ...hosting, stage: "incoming" } }, moved)).toBeNull();
    expect(task({ ...home, departed }, moved)).toBeNull();
    expect(
      task({ ...home, departed, hosting: { ...hosting, stage: "barrier" } }, moved),
    ).toBeNull();
  });

  it("is set back when the guest is home or nowhere, but not to an address of another guest's", () => {
    expect(task({ ...home, hosting }, moved)).toEqual(setBack);
    expect(task(undefined, moved)).toEqual(setBack);
    const heir = { ...recordOf("web9", 10), hosting };
    expect(task(undefined, moved, [heir])).toEqual({ ...setBack, to: null });
    expect(task({ ...home, hosting })).toBeNull();
  });
});

test("names that were led elsewhere are known to the next daemon", () => {
  using folder = temporaryFolder();
  const faults: unknown[] = [];
  const open = () => new MovedNames(folder.path, diskStorage, (error) => faults.push(error));
  const names = open();
  names.put(moved);
  names.put({ ...moved, away: "10.2.0.3" });
  expect(open().all()).toEqual([{ ...moved, away: "10.2.0.3" }]);
  open().remove("web1");
  expect(open().get("web1")).toBeUndefined();
  diskStorage.replace(`${folder.path}/moved-names.json`, "{");
  expect(open().all()).toEqual([]);
  expect(faults).toHaveLength(1);
});

test("where nobody updates names any more, no redirect waits for it", () => {
  const put: GuestRecord[] = [];
  leaveNamesToHooks({ all: () => [home, away, updated], put: (one) => put.push(one) }, 90);
  expect(put.map((one) => one.redirect?.drain)).toMatchObject([
    { nameUpdatedMs: expect.any(Number), nameTtlS: 90 },
  ]);
});
