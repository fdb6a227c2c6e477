import { expect, test } from "vitest";
import { type HomeContext, HomeDuties } from "../../../src/migrator/home-duties.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { DrainHost } from "./drain-world.ts";
import { aToB, hostA, recordOf } from "./support.ts";

const aToC = { ...aToB, remoteAddress: "172.16.3.2" };
const next = { host: "host-c", tunnel: aToC, migration: "m4", epoch: 4 };
const away = awayAt({ host: "host-b", tunnel: aToB });

function awayAt(redirect: NonNullable<GuestRecord["redirect"]>): GuestRecord {
  return { ...recordOf("web1", 10), epoch: 3, redirect };
}

/** What home answers when `peer` says that the guest runs there, and where it sends packets then. */
async function told(
  record: GuestRecord,
  peer: string,
  epoch: number,
  atB: () => string,
  more: { resolved?: boolean } = {},
) {
  using home = new DrainHost(hostA);
  home.records.put(record);
  const context = {
    ...home.context({} as never),
    isArriving: () => false,
    underlayAddressOf: async () => "172.16.3.2",
    peer: () => ({ call: async () => ({ run_state: atB() }) }),
  };
  using duties = new HomeDuties(context as unknown as HomeContext);
  const request = { guest: "web1", epoch, tunnel_kind: "ipip", ...more } as const;
  const answer = await duties
    .handlers()
    .repoint(request, { peer, addresses: [] })
    .catch((error: unknown) => error);
  return { answer, goesTo: home.records.get("web1")?.redirect?.host };
}

test("home follows the host that the guest was on its way to", async () => {
  const moving = awayAt({ host: "host-b", tunnel: aToB, next });
  expect(await told(moving, "host-c", 4, silent)).toEqual({ answer: {}, goesTo: "host-c" });
});

test("a host that home was not prepared for is believed when the guest is not where it was", async () => {
  expect(await told(away, "host-c", 4, () => "none")).toEqual({ answer: {}, goesTo: "host-c" });
});

test.each([
  ["the guest is where home knows it", () => "running", "SOJ_GUEST_ELSEWHERE"],
  ["that host does not answer", silent, "SOJ_PEER_UNREACHABLE"],
])("it is not while %s, and may ask again", async (_, atB, code) => {
  const { answer, goesTo } = await told(away, "host-c", 9, atB);
  expect(answer).toMatchObject({ code, retryable: true });
  expect(goesTo).toBe("host-b");
});

test("nor while the guest is on its way to another", async () => {
  const moving = awayAt({ host: "host-b", tunnel: aToB, next: { ...next, host: "host-d" } });
  const { answer, goesTo } = await told(moving, "host-c", 9, () => "none");
  expect(answer).toMatchObject({ code: "SOJ_GUEST_BUSY", retryable: true });
  expect(goesTo).toBe("host-b");
});

test("an operator's word counts against a host that is silent, and not against one where the guest is", async () => {
  const resolved = { resolved: true };
  const fenced = await told(away, "host-c", 4, silent, resolved);
  expect(fenced).toEqual({ answer: {}, goesTo: "host-c" });
  const { answer, goesTo } = await told(away, "host-c", 4, () => "running", resolved);
  expect(answer).toMatchObject({ code: "SOJ_GUEST_ELSEWHERE" });
  expect(goesTo).toBe("host-b");
});

function silent(): never {
  throw new SojournError("SOJ_PEER_UNREACHABLE", "no answer", { retryable: true });
}
