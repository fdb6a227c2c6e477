import { expect, test } from "vitest";
import { HomeTeller } from "../../../src/migrator/home-teller.ts";
import { RecordStore } from "../../../src/migrator/record-store.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { FakeClock, pass, settled } from "../platform/fake-clock.ts";
import { bToA, recordOf, temporaryFolder } from "./support.ts";

const toHome = { ...bToA, localAddress: "172.16.3.2" };

/** At host-c, to which the guest has come from host-b. */
const landed: GuestRecord = {
  ...{ ...recordOf("web1", 10), epoch: 4 },
  hosting: {
    ...{ stage: "landed", tableIndex: 0, homeTunnel: toHome, homeUntold: true },
    sourceTunnel: { ...toHome, remoteAddress: "172.16.2.2" },
  },
};

test("home is told under the guest's epoch, once, and that is stored", async () => {
  using host = new Host(landed);
  host.teller.tell("web1");
  host.teller.tell("web1");
  await host.teller.told("web1");
  expect(host.asked).toEqual([{ guest: "web1", epoch: 4, tunnel_kind: "ipip" }]);
  expect(host.isUntold).toBe(false);
  await host.teller.told("web1");
  expect(host.asked).toHaveLength(1);
});

test("a home that does not answer is told again, less and less often, until it does", async () => {
  using host = new Host(landed);
  host.isReachable = false;
  host.teller.begin();
  await pass(host.clock, 1_000);
  const often = host.asked.length;
  await pass(host.clock, 60_000, 250);
  expect(often).toBeGreaterThanOrEqual(3);
  expect(host.asked.length - often).toBeLessThan(10);
  expect(host.isUntold).toBe(true);
  host.isReachable = true;
  await pass(host.clock, 15_000, 250);
  expect(host.isUntold).toBe(false);
});

test("who waits for home is told after some seconds that it could not be told, and why", async () => {
  using host = new Host(landed);
  host.isReachable = false;
  const waiting = host.teller.told("web1");
  const refused = expect(waiting).rejects.toMatchObject({
    ...{ code: "SOJ_HOME_UNTOLD", retryable: true },
    cause: { code: "SOJ_PEER_UNREACHABLE" },
  });
  await pass(host.clock, 8_000);
  await refused;
});

test("a guest that may still be given up is not told of, nor one that home knows", async () => {
  const { hosting } = landed;
  if (hosting === null) throw new Error("it runs here");
  const { homeUntold: _untold, ...known } = hosting;
  for (const here of [{ ...hosting, stage: "incoming" as const }, known]) {
    using host = new Host({ ...landed, hosting: here });
    host.teller.begin();
    await host.teller.told("web1");
    expect(host.asked).toEqual([]);
  }
});

test("what home answers about an earlier stay says nothing about this one", async () => {
  using host = new Host(landed);
  host.onAsked = () => host.records.put({ ...landed, epoch: 6 });
  host.teller.tell("web1");
  await settled();
  expect(host.records.get("web1")).toMatchObject({ epoch: 6, hosting: { homeUntold: true } });
});

test("nobody is told any more once the daemon ends", async () => {
  using host = new Host(landed);
  host.isReachable = false;
  host.teller.tell("web1");
  await settled();
  host.teller[Symbol.dispose]();
  await pass(host.clock, 60_000, 1_000);
  host.teller.tell("web1");
  await settled();
  expect(host.asked).toHaveLength(1);
});

class Host implements Disposable {
  readonly clock = new FakeClock();
  readonly #folder = temporaryFolder();
  readonly records = new RecordStore(this.#folder.path);
  readonly asked: unknown[] = [];
  readonly teller: HomeTeller;
  isReachable = true;
  onAsked: () => void = () => {};

  constructor(record: GuestRecord) {
    this.records.put(record);
    const call = async (_name: string, request: unknown) => {
      this.asked.push(request);
      if (!this.isReachable) throw new SojournError("SOJ_PEER_UNREACHABLE", "no answer");
      this.onAsked();
      return {};
    };
    const held = { hold: async () => ({ [Symbol.dispose]: () => {} }) };
    this.teller = new HomeTeller({
      ...{ records: this.records, network: held as never, logger: createLogger("silent") },
      peer: (peer) => ({ peer, call }) as never,
    });
  }

  get isUntold(): boolean {
    return this.records.get("web1")?.hosting?.homeUntold === true;
  }

  [Symbol.dispose](): void {
    this.teller[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
    this.clock[Symbol.dispose]();
  }
}
