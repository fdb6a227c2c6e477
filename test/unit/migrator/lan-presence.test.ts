import pino from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LanPresence } from "../../../src/migrator/lan-presence.ts";
import type { HostFacts } from "../../../src/migrator/network.ts";
import { RecordStore } from "../../../src/migrator/record-store.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import type { Announcement, Announcer } from "../../../src/routing/announce/announcer.ts";
import { correctionFrame } from "../../../src/routing/announce/frames.ts";
import { aToB, hostA, recordOf, runningAtHome, temporaryFolder } from "./support.ts";

const onLan = {
  ...hostA,
  guestNetworks: hostA.guestNetworks.map((network) => ({ ...network, port: "lan0" })),
};
const own = "52:54:00:00:00:0a";
const home = "52:54:00:00:01:02";
const peer = { address: "10.1.0.50", mac: "02:00:00:00:00:32" };
const web1 = recordOf("web1", 10);
const settled: GuestRecord = { ...web1, hosting: runningAtHome };
const leaving: GuestRecord = { ...settled, outgoing: { tunnel: aToB, switched: false } };
const away: GuestRecord = { ...web1, redirect: { host: "host-b", tunnel: aToB } };
const landed: GuestRecord = {
  ...web1,
  hosting: { ...runningAtHome, stage: "landed", sourceTunnel: aToB },
};

const atHome = { device: "guests0", address: "10.1.0.10", mac: null, port: own };
const atItself = { device: "guests0", address: "10.1.0.10", mac: own, port: null };

describe("what a LAN is told", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let records: RecordStore;
  let kept: readonly Announcement[];
  let told: Announcement[];
  let sent: Buffer[][];

  beforeEach(() => {
    folder = temporaryFolder();
    records = new RecordStore(folder.path);
    [kept, told, sent] = [[], [], []];
  });
  afterEach(() => folder[Symbol.dispose]());

  test("of a guest that leaves and comes back, and of one whose move was taken back", () => {
    records.put(settled);
    using _presence = open();
    expect(told).toEqual([atItself]);
    told = [];
    records.put(leaving);
    expect({ kept, told }).toEqual({ kept: [], told: [] });
    records.put(settled);
    expect(told).toEqual([atItself]);
    told = [];
    records.put(leaving);
    records.put(away);
    expect({ kept, told }).toEqual({ kept: [atHome], told: [] });
    records.put(landed);
    expect({ kept, told }).toEqual({ kept: [], told: [atItself] });
    records.put(settled);
    expect(told).toHaveLength(1);
  });

  test("a restarted host goes on with what is away", () => {
    records.put(away);
    using _presence = open();
    expect({ kept, told }).toEqual({ kept: [atHome], told: [] });
    records.remove("web1");
    expect(kept).toEqual([]);
  });

  test("a guest that is back is told of its neighbours", async () => {
    records.put(away);
    using _presence = open();
    records.put(landed);
    const frame = correctionFrame({
      ...peer,
      source: home,
      to: { address: "10.1.0.10", mac: own },
    });
    await expect.poll(() => sent, { timeout: 5_000 }).toEqual([[frame]]);
  });

  test("nothing where this host is the gateway, or not home", () => {
    records.put(away);
    records.put({ ...settled, guest: "web2", home: { ...web1.home, host: "host-b" } });
    using _presence = open(hostA);
    records.put(landed);
    expect({ kept, told }).toEqual({ kept: [], told: [] });
  });

  function open(host: HostFacts = onLan): LanPresence {
    const announcer: Announcer = {
      keep: (standing) => {
        kept = standing;
      },
      tell: (passing) => void told.push(...passing),
      send: async (_device, frames) => void sent.push([...frames]),
      [Symbol.dispose]: () => {},
    };
    const routing = {
      linkMac: async () => home,
      knownNeighbours: async () => [peer, { address: "10.1.0.10", mac: own }],
    };
    const logger = pino({ level: "silent" });
    return new LanPresence({ host, records, routing, announcer, logger });
  }
});
