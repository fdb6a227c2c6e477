import { describe, expect, test } from "vitest";
import { desiredNetwork } from "../../../src/migrator/desired-network.ts";
import { guestsToHandOver } from "../../../src/migrator/handover/checks.ts";
import { requiredTunnels } from "../../../src/migrator/network.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { aToB, bToA, hostA, hostB, recordOf, tunnelOf } from "./support.ts";

type Part = NonNullable<NonNullable<GuestRecord["redirect"]>["handover"]>["part"];

const web1 = recordOf("web1", 10);
const redirect = { host: "host-b", tunnel: aToB };
const atAnchor = (part: Part): GuestRecord => ({
  ...web1,
  redirect: { ...redirect, handover: { id: "h1", anchor: "anchor-y", part } },
});

describe("while an address is handed over", () => {
  test.each([
    ["offered", true, true],
    ["active", true, true],
    ["leaving", true, false],
    ["receiving", false, false],
  ] satisfies [Part, boolean, boolean][])(
    "an anchor that is %s redirects, and takes frames: %s; answers: %s",
    (part, takes, answers) => {
      const { routes, filter, neighbours } = desiredNetwork(hostA, [atAnchor(part)], tunnelOf);
      const redirects = [expect.objectContaining({ prefix: "10.1.0.10/32", device: "tun-2" })];
      expect(routes).toEqual(takes ? redirects : []);
      expect(filter.guestFrames).toHaveLength(takes ? 1 : 0);
      expect(neighbours).toHaveLength(answers ? 1 : 0);
    },
  );

  test("its host takes its packets from both anchors, and sends by the one that is home", () => {
    const other = { ...bToA, remoteAddress: "172.16.9.2" };
    const home = {
      host: "anchor-y",
      underlayAddress: "172.16.9.2",
      gatewayMac: web1.home.gatewayMac,
    };
    const record: GuestRecord = {
      ...web1,
      hosting: {
        ...{ stage: "running", tableIndex: 0, homeTunnel: bToA, sourceTunnel: null },
        handover: { id: "h1", home, tunnel: other, taken: false },
      },
    };
    expect(requiredTunnels([record])).toEqual([bToA, other]);
    const { filter, routes } = desiredNetwork(hostB, [record], tunnelOf);
    expect(filter.tunnelGuests).toEqual(
      ["tun-9", "tun-1"].map((device) => ({ device, from: [], to: ["10.1.0.10"] })),
    );
    expect(routes.find(({ prefix }) => prefix === "default")?.device).toBe("tun-1");
  });
});

describe("the guests that an anchor hands over", () => {
  const anchor = { ...hostA, role: "anchor" } as const;
  const away: GuestRecord = { ...web1, redirect };
  const next = { host: "host-c", tunnel: aToB, migration: "m1", epoch: 2 };

  test("are all of them, as long as each is at rest", () => {
    expect(guestsToHandOver(anchor, [away], () => false)).toEqual([away]);
    for (const change of [
      { next },
      { attaching: true as const },
      { retiring: "by-hand" as const },
    ]) {
      const busy = [away, { ...away, redirect: { ...redirect, ...change } }];
      expect(() => guestsToHandOver(anchor, busy, () => false)).toThrow(
        expect.objectContaining({ code: "SOJ_GUEST_BUSY", retryable: true }),
      );
    }
  });

  test.each([
    ["SOJ_NOT_ANCHOR", () => guestsToHandOver(hostA, [away], () => false)],
    ["SOJ_HANDOVER_EMPTY", () => guestsToHandOver(anchor, [], () => false)],
    ["SOJ_HANDOVER_ROUTED", () => guestsToHandOver(anchor, [away], () => true)],
  ])("%s otherwise", (code, work) => {
    expect(work).toThrow(expect.objectContaining({ code, exitCode: 3 }));
  });
});
