import { describe, expect, test } from "vitest";
import type { Attachment } from "../../../src/migrator/anchor-procedures.ts";
import { attachGuest } from "../../../src/migrator/attach-guest.ts";
import type { StoredHandover } from "../../../src/migrator/handover/state.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { aToB, definitionOf, hostA, recordOf } from "./support.ts";

const request: Attachment = {
  guest: "web1",
  definition: definitionOf("web1", 10),
  epoch: 0,
  underlay_address: "172.16.2.2",
  tunnel_kind: "ipip",
};

const away: GuestRecord = {
  ...recordOf("web1", 10),
  redirect: { host: "host-b", tunnel: aToB },
};

async function attach(
  known: readonly GuestRecord[],
  change: Partial<Attachment> = {},
  role: "anchor" | "host" = "anchor",
  handover: Partial<StoredHandover> | null = null,
) {
  const stored: GuestRecord[] = [];
  const context = {
    host: { ...hostA, role },
    records: { all: () => known, get: (name: string) => known.find(({ guest }) => guest === name) },
    journal: { refuseHeld: () => {}, highestEpoch: () => 3 },
    network: {
      hold: async () => ({ [Symbol.dispose]: () => {} }),
      changeWhileHeld: async (record: GuestRecord) => void stored.push(record),
      routing: { linkMac: async () => "52:54:00:00:01:01" },
    },
    handovers: { current: handover },
  } as unknown as Parameters<typeof attachGuest>[0];
  const answer = await attachGuest(context, { ...request, ...change }, "host-b");
  return { answer, stored };
}

describe("an anchor that a host tells of a guest's start", () => {
  test("sends its traffic there from then on, with an epoch above all that it knows", async () => {
    const { answer, stored } = await attach([]);
    expect(answer).toEqual({ home: recordOf("web1", 10).home, epoch: 3 });
    expect(stored).toEqual([
      {
        ...recordOf("web1", 10),
        epoch: 3,
        redirect: { host: "host-b", tunnel: aToB, attaching: true },
      },
    ]);
  });

  test("takes the same host's word again", async () => {
    const { answer, stored } = await attach([{ ...away, epoch: 7 }]);
    expect(answer.epoch).toBe(8);
    expect(stored[0]?.redirect).toMatchObject({ host: "host-b", attaching: true });
  });

  const elsewhere = { ...away, redirect: { host: "host-c", tunnel: aToB } };
  const migration = { id: "m1", epoch: 1, role: "source", peer: "x", resume: true } as const;
  const departed = {
    ...recordOf("web1", 10),
    departed: { host: "host-c", migration: null, renumbered: null, reason: "cap", atMs: 1 },
  } as const;
  test.each([
    ["that is at another host", [elsewhere], "SOJ_GUEST_BUSY"],
    ["that is being moved", [{ ...away, migration }], "SOJ_GUEST_BUSY"],
    ["that is elsewhere for good", [departed], "SOJ_GUEST_DEPARTED"],
    ["whose address is another's", [recordOf("web2", 10)], "SOJ_GUEST_ADDRESS"],
  ] satisfies [string, GuestRecord[], string][])("refuses a guest %s", async (_, known, code) => {
    await expect(attach(known)).rejects.toMatchObject({ code, exitCode: 3 });
  });

  test("refuses an address that is none of its guests', their gateway's, and its own", async () => {
    const [nic] = request.definition.nics;
    const withAddress = (address: string) => ({
      definition: { ...request.definition, nics: nic ? [{ ...nic, addresses: [address] }] : [] },
    });
    for (const address of ["10.9.0.10/24", "10.1.0.1/24", "172.16.1.2/24", "172.16.2.2/24"]) {
      const refused = attach([], withAddress(address));
      await expect(refused).rejects.toMatchObject({ code: "SOJ_GUEST_ADDRESS" });
    }
  });

  test("one that has handed its guests over, or does so just now, takes no new ones", async () => {
    for (const state of ["switching", "done"] as const) {
      const refused = attach([], {}, "anchor", { to: "anchor-y", state });
      await expect(refused).rejects.toMatchObject({ code: "SOJ_ANCHOR_STANDBY" });
    }
    await expect(attach([], {}, "anchor", { to: "y", state: "undone" })).resolves.toBeDefined();
  });

  test("an ordinary host is nobody's anchor", async () => {
    await expect(attach([], {}, "host")).rejects.toMatchObject({ code: "SOJ_NOT_ANCHOR" });
  });
});
