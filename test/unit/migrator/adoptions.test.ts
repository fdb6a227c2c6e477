import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { endedInstance } from "../../../src/hypervisor/ended-instance.ts";
import type { GuestInstance, Hypervisor } from "../../../src/hypervisor/hypervisor.ts";
import { Adoptions } from "../../../src/migrator/adoptions.ts";
import { Guests } from "../../../src/migrator/guests.ts";
import type { HostNetwork } from "../../../src/migrator/host-network.ts";
import { RecordStore } from "../../../src/migrator/record-store.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { definitionOf, hostA, temporaryFolder } from "./support.ts";

const definition = definitionOf("byhand", 20);
const logger = createLogger("silent");
const never = new Promise<never>(() => {});

/** A process that was adopted and lives. */
const adopted: GuestInstance = {
  ...endedInstance(definition),
  ...{ instanceId: "00000001", pid: 4711, isAdopted: true, ended: never, isAlive: () => true },
};

/** What outlives a daemon: its files, and which processes the hypervisor has written down. */
class Host {
  readonly folder = temporaryFolder();
  written: GuestInstance[] = [];

  /** A daemon as it starts on what there is. */
  async daemon() {
    const records = new RecordStore(join(this.folder.path, "records"));
    const network = {
      routing: { linkMac: async () => "52:54:00:00:01:01" },
      change: async (record: GuestRecord) => records.put(record),
      changeWhileHeld: async (record: GuestRecord) => records.put(record),
      hold: async () => ({ [Symbol.dispose]: () => {} }),
      forget: async (guest: string) => records.remove(guest),
    } as unknown as HostNetwork;
    const hypervisor = { findInstances: async () => this.written } as unknown as Hypervisor;
    const definitionsFolder = this.definitions;
    const guests = new Guests({
      ...{ host: hostA, hypervisor, network, records, definitionsFolder, logger },
    });
    const adoptions = new Adoptions({ host: hostA, guests, network, records }, definitionsFolder);
    for (const instance of await hypervisor.findInstances()) guests.adopt(instance);
    await guests.forgetEnded();
    adoptions.complete();
    return { guests, adoptions, records };
  }

  get definitions(): string {
    return join(this.folder.path, "definitions");
  }

  get isDefined(): boolean {
    return existsSync(join(this.definitions, "byhand.toml"));
  }

  attach = async () => {
    this.written = [adopted];
    return adopted;
  };

  detach = async () => {
    this.written = [];
  };
}

describe("a guest that is adopted, or let go, by a daemon that may die", () => {
  let host: Host;

  beforeEach(() => {
    host = new Host();
  });

  afterEach(() => host.folder[Symbol.dispose]());

  async function expectAdopted(): Promise<void> {
    const { guests, records } = await host.daemon();
    expect(guests.names()).toEqual(["byhand"]);
    expect(guests.instance("byhand")).toBe(adopted);
    expect(records.get("byhand")?.hosting?.tap).toBe("tap77");
    expect(host.isDefined).toBe(true);
  }

  async function expectNone(): Promise<void> {
    const { guests, records } = await host.daemon();
    expect([guests.names(), guests.instances(), records.all()]).toEqual([[], [], []]);
    expect(host.isDefined).toBe(false);
  }

  async function adoptedByDaemon() {
    const daemon = await host.daemon();
    await daemon.adoptions.takeIn(definition, "tap77", host.attach);
    return daemon;
  }

  test("is adopted, and then none again", async () => {
    const { adoptions } = await adoptedByDaemon();
    await expectAdopted();
    await adoptions.letGo("byhand", host.detach);
    await expectNone();
  });

  test("is none where the process was not got hold of", async () => {
    const { adoptions, guests } = await host.daemon();
    const refuse = () =>
      adoptions.takeIn(definition, "tap77", () => Promise.reject(new Error("no")));
    await expect(refuse()).rejects.toThrow("no");
    expect(guests.names()).toEqual([]);
    await expectNone();
  });

  test("is none where the daemon died before the process was written down", async () => {
    const { adoptions } = await host.daemon();
    void adoptions.takeIn(definition, "tap77", () => never);
    const record = join(host.folder.path, "records", "byhand.json");
    await expect.poll(() => existsSync(record)).toBe(true);
    await expectNone();
  });

  test("is adopted where it died right after, before anything else", async () => {
    const { adoptions } = await host.daemon();
    void adoptions.takeIn(definition, "tap77", () => host.attach().then(() => never));
    await expect.poll(() => host.written).toEqual([adopted]);
    expect(host.isDefined).toBe(false);
    await expectAdopted();
  });

  test("stays adopted where it died before the process was let go", async () => {
    const { adoptions } = await adoptedByDaemon();
    void adoptions.letGo("byhand", () => never);
    await expect.poll(() => host.isDefined).toBe(false);
    await expectAdopted();
  });

  test("is none where it died right after", async () => {
    const { adoptions } = await adoptedByDaemon();
    void adoptions.letGo("byhand", () => host.detach().then(() => never));
    await expect.poll(() => host.written).toEqual([]);
    await expectNone();
  });

  test("a name or an address that is another guest's is refused", async () => {
    const { adoptions } = await adoptedByDaemon();
    const take = (other: typeof definition) => adoptions.takeIn(other, "tap78", host.attach);
    await expect(take(definition)).rejects.toMatchObject({ code: "SOJ_GUEST_EXISTS" });
    await expect(take({ ...definition, name: "twin" })).rejects.toMatchObject({
      code: "SOJ_GUEST_ADDRESS",
    });
  });

  test("a guest in a process of Sojourn's own is not let go, nor one that moves", async () => {
    const { adoptions, records, guests } = await adoptedByDaemon();
    const record = records.get("byhand");
    if (!record?.hosting) throw new Error("no record");
    const migration = { id: "m1", epoch: 1, role: "source", peer: "host-b", resume: true } as const;
    records.put({ ...record, migration });
    const letGo = () => adoptions.letGo("byhand", host.detach);
    await expect(letGo()).rejects.toMatchObject({ code: "SOJ_GUEST_BUSY" });
    const { tap: _tap, ...hosting } = record.hosting;
    records.put({ ...record, hosting });
    await expect(letGo()).rejects.toMatchObject({ code: "SOJ_NOT_ADOPTED" });
    expect(guests.instance("byhand")).toBe(adopted);
  });

  describe("that is libvirt's", () => {
    const libvirts = { ...definition, hypervisor: "libvirt" as const };
    const domain = { ...adopted, definition: libvirts };
    const attach = async () => domain;

    test("is started by libvirt alone, and is a guest again on its tap", async () => {
      const { adoptions, guests, records } = await host.daemon();
      await adoptions.takeIn(libvirts, "tap77", attach);
      await expect(guests.start("byhand")).rejects.toMatchObject({ code: "SOJ_GUEST_THERE" });
      const takeBack = () => adoptions.takeBack(libvirts, "tap78", attach);
      await expect(takeBack()).rejects.toMatchObject({ code: "SOJ_GUEST_BUSY" });
      await guests.noteEnded(domain);
      expect(records.get("byhand")).toBeUndefined();
      await expect(guests.start("byhand")).rejects.toMatchObject({
        ...{
          code: "SOJ_LIBVIRT_START",
          exitCode: 3,
          hint: expect.stringMatching(/^virsh start byhand;/),
        },
      });
      await takeBack();
      expect(records.get("byhand")?.hosting?.tap).toBe("tap78");
      expect(guests.instance("byhand")).toBe(domain);
    });

    test("is forgotten while it does not run, and kept while it would lose Sojourn's tap", async () => {
      const { adoptions, guests, records } = await host.daemon();
      await adoptions.takeIn(libvirts, "tap77", attach);
      const record = records.get("byhand");
      if (!record?.hosting) throw new Error("no record");
      const { tap: _tap, ...hosting } = record.hosting;
      records.put({ ...record, hosting });
      await expect(adoptions.letGo("byhand", host.detach)).rejects.toMatchObject({
        ...{ code: "SOJ_NOT_ADOPTED", hint: expect.stringContaining("virsh start byhand") },
      });
      await guests.noteEnded(domain);
      expect(host.isDefined).toBe(true);
      await adoptions.letGo("byhand", () => Promise.reject(new Error("nothing to let go of")));
      await expectNone();
    });
  });
});
