import { describe, expect, it } from "vitest";
import { flowPaths } from "../../../src/migrator/flow-path.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { redirectMark } from "../../../src/routing/desired.ts";
import { flowTuple, trackedFlow } from "../../support/tracked-flow.ts";
import { aToB, bToA, hostA, hostB, recordOf } from "./support.ts";

const address = "10.1.0.10";
const guest = recordOf("web1", 10);
const hosting: NonNullable<GuestRecord["hosting"]> = {
  ...{ stage: "running", tableIndex: 0, homeTunnel: null, sourceTunnel: null },
};
const away: GuestRecord = { ...guest, redirect: { host: "host-b", tunnel: aToB } };
const there: GuestRecord = { ...guest, hosting: { ...hosting, homeTunnel: bToA } };

/** Of one with a peer far away. */
const pathAt = (host: typeof hostA, record: GuestRecord | undefined, mark = 0) =>
  flowPaths(host, record, address)({ ...trackedFlow(), mark });

describe("at home a flow's way", () => {
  it("is direct while the guest is there, or nowhere", () => {
    expect(pathAt(hostA, undefined)).toBe("direct");
    expect(pathAt(hostA, { ...guest, hosting })).toBe("direct");
  });

  it("is the redirect from the switchover to the return", () => {
    const outgoing = { tunnel: aToB, switched: false };
    const leaving = { ...guest, hosting, outgoing };
    expect(pathAt(hostA, leaving)).toBe("direct");
    expect(pathAt(hostA, { ...leaving, outgoing: { ...outgoing, switched: true } })).toBe(
      "redirect",
    );
    expect(pathAt(hostA, away)).toBe("redirect");
    expect(pathAt(hostA, { ...away, hosting: { ...hosting, stage: "incoming" } })).toBe("redirect");
    expect(pathAt(hostA, { ...away, hosting: { ...hosting, stage: "landed" } })).toBe("direct");
  });
});

describe("where the guest is away from home, a flow's way", () => {
  const between = (peer: string, siblings: string[] = []) => {
    const near = {
      original: flowTuple(`${address}:5`, peer),
      reply: flowTuple(peer, `${address}:5`),
    };
    return flowPaths(hostB, there, address, siblings)(trackedFlow(near));
  };

  it("is the redirect, but for this host and those in its guests' subnets", () => {
    expect(between("192.0.2.2:80")).toBe("redirect");
    expect(between("10.1.0.11:80")).toBe("redirect");
    expect(between("10.2.0.77:80")).toBe("direct");
    expect(between("172.16.2.2:80")).toBe("direct");
    expect(between("10.1.0.11:80", ["10.1.0.11"])).toBe("direct");
  });

  it("is where its packets are sent to, which is not always whom the guest has asked for", () => {
    const translated = trackedFlow({
      original: flowTuple(`${address}:5`, "192.0.2.2:80"),
      reply: flowTuple("10.2.0.77:80", `${address}:5`),
    });
    expect(flowPaths(hostB, there, address)(translated)).toBe("direct");
  });

  it("is what its mark says once the guest is renumbered, and no other bit of it", () => {
    const renumbered = {
      ...there,
      hosting: { ...hosting, homeTunnel: bToA, renumbered: "10.2.0.9" },
    };
    expect(pathAt(hostB, renumbered, redirectMark | 1)).toBe("redirect");
    expect(pathAt(hostB, renumbered, ~redirectMark >>> 0)).toBe("direct");
    const near = trackedFlow({
      original: flowTuple(`${address}:5`, "10.2.0.77:80"),
      reply: flowTuple("10.2.0.77:80", `${address}:5`),
    });
    expect(flowPaths(hostB, renumbered, address)({ ...near, mark: redirectMark })).toBe("direct");
    const retired = { ...hosting, renumbered: "10.2.0.9", retired: true };
    expect(pathAt(hostB, { ...guest, hosting: retired }, redirectMark)).toBe("direct");
  });

  it("is none through home any more once the guest has gone home", () => {
    const outgoing = { tunnel: bToA, switched: true };
    expect(pathAt(hostB, { ...there, outgoing })).toBe("direct");
  });
});
