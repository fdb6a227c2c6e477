import { expect, it } from "vitest";
import {
  type HostCapacity,
  roomsOf,
  surveyDestinations,
} from "../../../../src/daemon/evacuation/destinations.ts";
import { queued } from "./support.ts";

const capacity: HostCapacity = {
  ...{ maintenance: false, memory_available_bytes: 1_000 * 1024 ** 2 },
  running: [{ guest: "web1", memory_mib: 128 }],
  arriving: [{ guest: "web2", memory_mib: 136 }],
};

const survey = (capacityOf: (host: string) => Promise<HostCapacity>) =>
  surveyDestinations(["host-b"], capacityOf);

it("what is on its way to a host is not free there, whether it has heard of it or not", async () => {
  const destinations = await survey(async () => capacity);
  // QEMU's own memory beside each guest's: 64 MiB.
  expect(roomsOf(destinations, [])).toEqual([{ host: "host-b", freeMib: 800 }]);
  const ours = ["web1", "web2", "web3"].map((guest) => queued(guest, { state: "migrating" }));
  expect(roomsOf(destinations, ours)).toEqual([{ host: "host-b", freeMib: 608 }]);
  const others = [queued("web4"), queued("web5", { state: "migrating", to: "host-c" })];
  expect(roomsOf(destinations, others)).toEqual([{ host: "host-b", freeMib: 800 }]);
});

it("a host that is silent or in maintenance has no room", async () => {
  const silent = await survey(async () => {
    throw new Error("no answer");
  });
  expect(silent).toMatchObject([{ capacity: null, error: { message: "no answer" } }]);
  expect(roomsOf(silent, [])).toEqual([]);
  const closed = await survey(async () => ({ ...capacity, maintenance: true }));
  expect(closed).toMatchObject([{ error: { code: "SOJ_HOST_MAINTENANCE" } }]);
  expect(roomsOf(closed, [])).toEqual([]);
});
