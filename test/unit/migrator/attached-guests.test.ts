import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AttachedGuests } from "../../../src/migrator/attached-guests.ts";
import { RecordStore } from "../../../src/migrator/record-store.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { FakeClock, settled } from "../platform/fake-clock.ts";
import { aToB, recordOf, temporaryFolder } from "./support.ts";

const attaching: GuestRecord = {
  ...recordOf("web1", 10),
  redirect: { host: "host-b", tunnel: aToB, attaching: true },
};

describe("a guest that a host said it would start", () => {
  let clock: FakeClock;
  let folder: ReturnType<typeof temporaryFolder>;
  let records: RecordStore;
  let asked: string[];
  let answer: () => string;
  let attached: AttachedGuests;

  beforeEach(() => {
    clock = new FakeClock();
    folder = temporaryFolder();
    records = new RecordStore(folder.path);
    asked = [];
    attached = new AttachedGuests({
      records,
      logger: createLogger("silent"),
      network: {
        hold: async () => ({ [Symbol.dispose]: () => {} }),
        forget: async (guest: string, isMeant: () => boolean) => {
          if (isMeant()) records.remove(guest);
        },
      } as never,
      peer: (host) =>
        ({
          call: async (name: string) => {
            asked.push(`${host} ${name}`);
            return { place: answer() };
          },
        }) as never,
    });
  });

  afterEach(() => {
    attached[Symbol.dispose]();
    folder[Symbol.dispose]();
    clock[Symbol.dispose]();
  });

  async function pass(forMs: number): Promise<void> {
    await settled();
    clock.run(forMs);
    await settled();
  }

  test("is known to be there once the host says so, and is not asked about again", async () => {
    answer = () => "here";
    records.put(attaching);
    await pass(4_900);
    expect(asked).toEqual([]);
    await pass(200);
    expect(asked).toEqual(["host-b attached-guest"]);
    expect(records.get("web1")?.redirect).toEqual({ host: "host-b", tunnel: aToB });
    await pass(600_000);
    expect(asked).toHaveLength(1);
  });

  test("is forgotten when the host has not begun", async () => {
    answer = () => "none";
    records.put(attaching);
    await pass(5_000);
    expect(records.get("web1")).toBeUndefined();
  });

  test("is waited for while the host starts it, or does not answer; also after a restart", async () => {
    answer = () => "starting";
    records.put(attaching);
    await pass(5_000);
    expect(records.get("web1")).toEqual(attaching);
    answer = () => {
      throw new SojournError("SOJ_PEER_UNREACHABLE", "x");
    };
    await pass(2_000);
    expect(records.get("web1")).toEqual(attaching);
    answer = () => "here";
    await pass(4_000);
    expect(asked).toHaveLength(3);
    expect(records.get("web1")?.redirect?.attaching).toBeUndefined();
  });

  test("is asked about at the host that it was started at instead, also under the same epoch", async () => {
    answer = () => "none";
    records.put(attaching);
    await pass(3_000);
    records.remove("web1");
    records.put({ ...attaching, redirect: { host: "host-c", tunnel: aToB, attaching: true } });
    await pass(6_000);
    expect(asked).toEqual(["host-c attached-guest"]);
    expect(records.get("web1")).toBeUndefined();
  });

  test("a host that asked once more meanwhile is not answered for the first time", async () => {
    answer = () => "none";
    records.put(attaching);
    await pass(3_000);
    records.put({ ...attaching, epoch: 2 });
    await pass(2_000);
    expect(records.get("web1")?.epoch).toBe(2);
    await pass(3_000);
    expect(records.get("web1")).toBeUndefined();
  });
});
