import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultLab } from "./support/fault-lab.ts";
import { FollowedMigration } from "./support/followed-migration.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Several guests at once: what happens to one must not happen to the others. */
let fault: FaultLab;

const guests = ["web1", "web2", "web3", "web4"] as const;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-many", ["--guests", "4", "--memory", "96"]);
  await fault.openSession();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

test("[rows 50] four guests leave at once, the QEMU of one dies on arrival, another is cancelled: the others arrive, and all come home", async () => {
  // Four software-emulated guests share the machine's cores with their own streams.
  fault.allowFreeze(10_000);
  const moves = guests.map((guest) => move(guest, "host-a", "host-b"));
  const [, second, third] = moves;
  await second?.streaming();
  fault.signal(fault.qemuOn("host-b", "web2"), "SIGKILL");
  const id = await third?.phase("preparing");
  fault.injected += 1;
  const cancel = await fault.exec("host-a", ["sojourn", "cancel", id ?? "", "--json"]);
  const endings = await Promise.all(moves.map(({ ended }) => ended));
  expect(endings.map(({ exitCode }) => exitCode)).toEqual([0, 4, cancel.exitCode === 0 ? 6 : 0, 0]);
  const away = guests.filter((_, index) => endings[index]?.exitCode === 0);
  await expectPlaces(away);
  const back = await Promise.all(away.map((guest) => move(guest, "host-b", "host-a").ended));
  expect(back.map(({ exitCode }) => exitCode)).toEqual(away.map(() => 0));
  await expectPlaces([]);
  await fault.expectKernelAsBefore();
  await fault.expectSessionAlive();
}, 300_000);

function move(guest: string, from: string, to: string): FollowedMigration {
  const command = ["sojourn", "migrate", guest, "--to", to, "--json", "--no-probe"];
  return new FollowedMigration(fault.spawn(from, command));
}

/** Each guest has one process, at host-b when it is among `away`, and both hosts say so. */
async function expectPlaces(away: readonly string[]): Promise<void> {
  const listed = async (host: string) => {
    const text = await fault.run(host, ["sojourn", "guest", "ls", "--json"]);
    const all = JSON.parse(text) as { name: string; state: string }[];
    return all.filter(({ state }) => state === "running").map(({ name }) => name);
  };
  expect(await listed("host-b")).toEqual(away);
  expect(await listed("host-a")).toEqual(guests.filter((guest) => !away.includes(guest)));
  for (const guest of guests) {
    const host = away.includes(guest) ? "host-b" : "host-a";
    expect(() => fault.qemuOn(host, guest)).not.toThrow();
  }
  expect(fault.qemuProcesses()).toHaveLength(guests.length);
}
