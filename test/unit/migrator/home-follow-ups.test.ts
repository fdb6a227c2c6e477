import { expect, test } from "vitest";
import type { HomeContext } from "../../../src/migrator/home-duties.ts";
import { HomeFollowUps } from "../../../src/migrator/home-follow-ups.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { FakeClock, pass } from "../platform/fake-clock.ts";
import { DrainHost } from "./drain-world.ts";
import { aToB, hostA, recordOf } from "./support.ts";

const [lookMs, previousMs] = [5_000, 60_000];
const aToC = { ...aToB, remoteAddress: "172.16.3.2" };
const next = { host: "host-c", tunnel: aToC, migration: "m4", epoch: 4 };
const previous = { host: "host-b", tunnel: aToB, migration: "m4" };
const prepared = awayAt({ host: "host-b", tunnel: aToB, next });
const followed = awayAt({ host: "host-c", tunnel: aToC, previous });

function awayAt(redirect: NonNullable<GuestRecord["redirect"]>): GuestRecord {
  return { ...recordOf("web1", 10), redirect };
}

test("what was prepared for a move stays while its source is about it, and goes when nothing more comes of it", async () => {
  using home = new Home(prepared);
  home.followUps.follow("web1");
  await home.pass(4 * lookMs);
  expect(home.redirect).toEqual(prepared.redirect);
  expect(new Set(home.asked)).toEqual(new Set(["host-b m4"]));
  home.isOver = true;
  await home.pass(2 * lookMs);
  expect(home.redirect).toEqual({ host: "host-b", tunnel: aToB });
});

test("the other host may still speak of a guest that its source has not any more", async () => {
  using home = new Home(prepared);
  home.isOver = true;
  home.isAtSource = false;
  home.followUps.begin();
  await home.pass(20 * lookMs);
  expect(home.redirect).toEqual(prepared.redirect);
});

test("a source that does not answer keeps what is prepared", async () => {
  using home = new Home(prepared);
  home.isReachable = false;
  home.followUps.begin();
  await home.pass(20 * lookMs);
  expect(home.redirect).toEqual(prepared.redirect);
  expect(home.asked.length).toBeGreaterThan(10);
});

test("the way to the host that the guest has left goes after a minute, whether that host answers or not", async () => {
  using home = new Home(followed);
  home.isReachable = false;
  home.followUps.begin();
  await home.pass(previousMs);
  expect(home.redirect).toEqual(followed.redirect);
  await home.pass(3 * lookMs);
  expect(home.redirect).toEqual({ host: "host-c", tunnel: aToC });
});

test("what the disk or the kernel refuses is removed later", async () => {
  using home = new Home(prepared);
  home.isOver = true;
  home.host.networkFailure = new Error("EBUSY");
  home.followUps.follow("web1");
  await home.pass(3 * lookMs);
  expect(home.redirect).toEqual(prepared.redirect);
  home.host.networkFailure = null;
  await home.pass(2 * lookMs);
  expect(home.redirect).toEqual({ host: "host-b", tunnel: aToB });
});

test("nobody is asked about a guest of which no move is open, nor once the daemon ends", async () => {
  using home = new Home(awayAt({ host: "host-b", tunnel: aToB }));
  home.followUps.begin();
  await home.pass(3 * lookMs);
  home.host.records.put(prepared);
  home.followUps.follow("web1");
  home.followUps[Symbol.dispose]();
  await home.pass(3 * lookMs);
  expect(home.asked).toEqual([]);
});

class Home implements Disposable {
  readonly clock = new FakeClock();
  readonly host = new DrainHost(hostA);
  readonly asked: string[] = [];
  readonly followUps: HomeFollowUps;
  isReachable = true;
  isOver = false;
  isAtSource = true;

  constructor(record: GuestRecord) {
    this.host.records.put(record);
    const peer = (host: string) => ({
      call: async (_name: string, { id }: { id: string }) => {
        this.asked.push(`${host} ${id}`);
        if (!this.isReachable) throw new SojournError("SOJ_PEER_UNREACHABLE", "no answer");
        return { over: this.isOver, here: this.isAtSource };
      },
    });
    const context = { ...this.host.context({} as never), peer };
    this.followUps = new HomeFollowUps(context as unknown as HomeContext);
  }

  get redirect() {
    return this.host.records.get("web1")?.redirect;
  }

  pass(forMs: number): Promise<void> {
    return pass(this.clock, forMs, 500);
  }

  [Symbol.dispose](): void {
    this.followUps[Symbol.dispose]();
    this.host[Symbol.dispose]();
    this.clock[Symbol.dispose]();
  }
}
