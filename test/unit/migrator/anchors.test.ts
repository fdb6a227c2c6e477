import { describe, expect, test } from "vitest";
import { Anchors, type PeerGreetings } from "../../../src/migrator/anchors.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { preconditionError, SojournError } from "../../../src/platform/errors.ts";
import { bToA, definitionOf, hostB, recordOf } from "./support.ts";

const anchor = { host: "anchor-x", role: "anchor", guestSubnets: ["10.1.0.0/24"] } as const;
const definition = definitionOf("web1", 10);
const home = { host: "anchor-x", underlayAddress: "172.16.1.2", gatewayMac: "52:54:00:00:01:01" };

/** host-b, and what it asks of its peers and its kernel. */
function hostWith(options: {
  greetings: PeerGreetings;
  answer?: (host: string, name: string) => unknown;
  known?: GuestRecord[];
  change?: () => void;
}) {
  const said: string[] = [];
  const { answer = () => ({ home, epoch: 4 }), known = [] } = options;
  const anchors = new Anchors({
    host: hostB,
    records: { all: () => known, get: () => undefined } as never,
    journal: { highestEpoch: () => 0 },
    network: {
      hold: async () => ({ [Symbol.dispose]: () => {} }),
      changeWhileHeld: async () => {
        options.change?.();
        said.push("network");
      },
      forget: async (guest: string) => void said.push(`forget ${guest}`),
    } as never,
    greetPeers: async () => options.greetings,
    tunnelKind: async () => "ipip",
    peer: (host) =>
      ({
        call: async (name: string) => {
          said.push(`${host} ${name}`);
          return answer(host, name);
        },
      }) as never,
  });
  return { anchors, said };
}

describe("a guest whose address is an anchor's", () => {
  test("is away from home from its start on", async () => {
    const { anchors, said } = hostWith({ greetings: { answered: [anchor], silent: [] } });
    expect(await anchors.place(definition)).toEqual({
      ...recordOf("web1", 10),
      ...{ epoch: 4, home },
      hosting: { stage: "running", tableIndex: 0, homeTunnel: bToA, sourceTunnel: null },
    });
    expect(said).toEqual(["anchor-x attach-guest", "network"]);
  });

  const both = { answered: [anchor, { ...anchor, host: "anchor-y" }], silent: [] };

  test("is looked for at all anchors of its address first", async () => {
    const { anchors, said } = hostWith({
      greetings: both,
      answer: (host, name) => {
        if (host === "anchor-y") throw new SojournError("SOJ_GUEST_BUSY", `${name}: at host-c`);
      },
    });
    await expect(anchors.place(definition)).rejects.toMatchObject({ code: "SOJ_GUEST_BUSY" });
    expect(said).toEqual(["anchor-x attach-check", "anchor-y attach-check"]);
  });

  test.each([
    ["was one of its anchors", { role: "anchor", guestSubnets: ["10.1.0.0/24"] } as const],
    ["has never answered", null],
  ])("is not started while a silent peer %s", async (_, known) => {
    const greetings = { answered: [anchor], silent: [{ host: "anchor-y", known }] };
    const { anchors, said } = hostWith({ greetings });
    await expect(anchors.place(definition)).rejects.toMatchObject({
      code: "SOJ_ANCHOR_SILENT",
      retryable: true,
    });
    expect(said).toEqual([]);
  });

  test.each([
    ["an ordinary host", { role: "host", guestSubnets: ["10.3.0.0/24"] } as const],
    ["an anchor of other addresses", { role: "anchor", guestSubnets: ["10.7.0.0/24"] } as const],
  ])("needs no answer of %s", async (_, known) => {
    const greetings = { answered: [anchor], silent: [{ host: "host-c", known }] };
    const { anchors } = hostWith({ greetings });
    await expect(anchors.place(definition)).resolves.toMatchObject({ home });
  });

  test("is behind the one that does not stand by", async () => {
    const { anchors, said } = hostWith({
      greetings: both,
      answer: (host, name) => {
        const isStandby = host === "anchor-x" && name === "attach-guest";
        if (isStandby) throw new SojournError("SOJ_ANCHOR_STANDBY", "anchor-y has them");
        return { home: { ...home, host }, epoch: 4 };
      },
    });
    expect((await anchors.place(definition)).home.host).toBe("anchor-y");
    expect(said.slice(2)).toEqual(["anchor-x attach-guest", "anchor-y attach-guest", "network"]);
  });

  test.each([
    [
      "no anchor has the address",
      { answered: [{ ...anchor, guestSubnets: ["10.7.0.0/24"] }], silent: [] },
    ],
    ["an ordinary host has it", { answered: [{ ...anchor, role: "host" }], silent: [] }],
    ["its anchor does not answer", { answered: [], silent: [{ host: "anchor-x", known: null }] }],
  ] satisfies [string, PeerGreetings][])("is not started when %s", async (_, greetings) => {
    const { anchors, said } = hostWith({ greetings });
    const error = await anchors.place(definition).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "SOJ_GUEST_ADDRESS", exitCode: 3 });
    if (greetings.silent.length > 0)
      expect(String((error as SojournError).hint)).toContain("anchor-x");
    expect(said).toEqual([]);
  });

  test("one that has another's address is refused before anybody is told", async () => {
    const known = [recordOf("web2", 10)];
    const { anchors, said } = hostWith({ greetings: { answered: [anchor], silent: [] }, known });
    await expect(anchors.place(definition)).rejects.toMatchObject({ code: "SOJ_GUEST_ADDRESS" });
    expect(said).toEqual([]);
  });

  test("its anchor is told when it cannot be started after all, or does not answer", async () => {
    const failing = hostWith({
      greetings: { answered: [anchor], silent: [] },
      change: () => {
        throw new SojournError("SOJ_ROUTING", "no");
      },
    });
    await expect(failing.anchors.place(definition)).rejects.toMatchObject({ code: "SOJ_ROUTING" });
    expect(failing.said).toEqual(["anchor-x attach-guest", "anchor-x guest-ended"]);
    const silent = hostWith({
      greetings: { answered: [anchor], silent: [] },
      answer: () => {
        throw new SojournError("SOJ_PEER_UNREACHABLE", "no answer");
      },
    });
    await expect(silent.anchors.place(definition)).rejects.toMatchObject({
      code: "SOJ_PEER_UNREACHABLE",
    });
    expect(silent.said).toEqual(["anchor-x attach-guest", "anchor-x guest-ended"]);
  });

  test("an anchor that refuses the guest is not told that it has ended", async () => {
    const { anchors, said } = hostWith({
      greetings: { answered: [anchor], silent: [] },
      answer: () => {
        throw preconditionError("SOJ_GUEST_BUSY", "web1 is being moved, behind anchor-x");
      },
    });
    await expect(anchors.place(definition)).rejects.toMatchObject({ code: "SOJ_GUEST_BUSY" });
    expect(said).toEqual(["anchor-x attach-guest"]);
  });

  test("one whose process cannot be started leaves nothing", async () => {
    const { anchors, said } = hostWith({ greetings: { answered: [anchor], silent: [] } });
    await anchors.undo({ ...recordOf("web1", 10), home });
    expect(said).toEqual(["forget web1", "anchor-x guest-ended"]);
  });
});
