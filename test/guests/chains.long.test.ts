import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kernelStates } from "../faults/support/kernel-states.ts";
import { daemonOf } from "../support/daemon-of.ts";
import { TestLab } from "../support/lab.ts";
import { expectCompleted, tunnelsByHost } from "./support/chains.ts";
import { moreEchoes, openSession } from "./support/echo-session.ts";

const hosts = ["host-a", "host-b", "host-c"] as const;
const nodes = [...hosts, "router", "client"];

describe("guests that move on from host to host", () => {
  let lab: TestLab;
  let before: Record<string, Record<string, string>>;

  beforeAll(async () => {
    lab = await TestLab.up(`chainslong${process.pid}`, ["--hosts", "3", "--guests", "2"]);
    before = await kernelStates(lab, nodes);
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test("a renumbered guest moves on: its address there goes only when that is said, home's redirect drains for the next", async () => {
    await using session = await openSession(lab);
    const renumber = ["--no-probe", "--renumber", "auto"];
    const given = async (from: string, to: string, options: readonly string[]) => {
      const outcome = await lab.migrate(from, "web1", to, options);
      expectCompleted(outcome);
      return outcome.report?.renumbered?.to ?? "";
    };
    const first = await given("host-a", "host-b", renumber);
    await using direct = await openSession(lab, first);
    const refused = await lab.migrate("host-b", "web1", "host-c", ["--no-probe"]);
    expect(refused).toMatchObject({ exitCode: 3, error: { code: "SOJ_GUEST_RENUMBERED" } });
    await moreEchoes(direct, 20);

    const limits = ["--drain-idle", "7", "--drain-cap", "0", "--release-renumbered"];
    const second = await given("host-a", "host-c", [...renumber, ...limits]);
    expect([first, second]).toEqual([
      expect.stringMatching(/^10\.2\.0\./),
      expect.stringMatching(/^10\.3\.0\./),
    ]);
    expect(await placeAtHome()).toMatchObject({ host: "host-c", redirect: "draining" });
    expect(await placeAtHome()).toMatchObject({ renumbered: second });
    await using next = await openSession(lab, second);
    await Promise.all([moreEchoes(session, 20), moreEchoes(next, 20)]);
    expect(await next.finish()).toMatchObject({ broken: null, wrong: null });

    await given("host-c", "host-b", ["--no-probe"]);
    expect(await placeAtHome()).toMatchObject({
      host: "host-b",
      redirect: "kept",
      renumbered: null,
    });
    await given("host-b", "host-a", ["--no-probe"]);
    expect(await session.finish()).toMatchObject({ broken: null, wrong: null });
    expect(await kernelStates(lab, nodes)).toEqual(before);
  });

  test("two guests of one home, at two hosts, change places and come home", async () => {
    await using first = await openSession(lab);
    await using second = await openSession(lab, "10.1.0.11");
    await settleBoth("host-a", ["host-b", "host-c"]);
    await settleBoth("host-a", ["host-c", "host-b"]);
    await Promise.all([moreEchoes(first, 20), moreEchoes(second, 20)]);
    await settleBoth("host-a", ["host-a", "host-a"]);
    for (const session of [first, second]) {
      expect(await session.finish()).toMatchObject({ broken: null, wrong: null });
    }
    expect(await kernelStates(lab, nodes)).toEqual(before);
  });

  async function placeAtHome() {
    const listed = await daemonOf(lab.name, "host-a").listGuests();
    return listed.find(({ name }) => name === "web1");
  }

  /** web1 and web2 move at the same time, asked for at one host, and each is then where it was to go. */
  async function settleBoth(asked: string, places: readonly [string, string]): Promise<void> {
    const guests = ["web1", "web2"];
    const moves = guests.map((guest, index) =>
      lab.migrate(asked, guest, places[index] ?? "", ["--no-probe"]),
    );
    for (const outcome of await Promise.all(moves)) expectCompleted(outcome);
    const listed = await daemonOf(lab.name, "host-a").listGuests();
    expect(listed.map(({ name, host }) => [name, host]).sort()).toEqual(
      guests.map((guest, index) => [guest, places[index]]),
    );
    const away = places.filter((place) => place !== "host-a");
    expect(await tunnelsByHost(lab, hosts)).toEqual({
      "host-a": new Set(away).size,
      "host-b": away.filter((place) => place === "host-b").length,
      "host-c": away.filter((place) => place === "host-c").length,
    });
  }
});
