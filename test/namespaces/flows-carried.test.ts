import { afterEach, beforeEach, expect, test } from "vitest";
import type { GuestFlow } from "../../src/routing/flows/flow-table.ts";
import { guestFlow } from "../../src/routing/flows/guest-flow.ts";
import { guestFlowOf } from "../support/guest-flows.ts";
import {
  clientAddress,
  type FlowsBed,
  guestAddress,
  type Moved,
  openFlowsBed,
} from "./flows-bed.ts";

const replayed: GuestFlow[] = Array.from({ length: 20_000 }, (_, index) =>
  guestFlowOf({ peer: `198.51.100.${1 + (index % 200)}`, peerPort: 1_024 + (index >> 3) }),
);
const kept = { redirected: false };
const mebibyte = 1024 * 1024;
/** More than the buffers at both ends hold. */
const manyBytes = 16 * mebibyte;

let bed: FlowsBed;
beforeEach(async () => {
  bed = await openFlowsBed();
});
afterEach(() => bed[Symbol.asyncDispose]());

test("sessions of every kind go on through a firewall that lets through established ones only, among 20 000 others", async () => {
  const { homeTable, awayTable } = bed;
  const told = await bed.startSessions();
  await goOn(told, mebibyte);
  expect(await homeTable.install(guestAddress, replayed, kept)).toEqual({
    ...{ installed: 20_000, present: 0, refused: {} },
  });
  const flows = (await homeTable.read(guestAddress)).map((flow) => guestFlow(guestAddress, flow));
  expect(flows).toHaveLength(20_005);
  expect(await awayTable.install(guestAddress, flows, kept)).toEqual({
    ...{ installed: 20_005, present: 0, refused: {} },
  });
  await bed.moveGuest();
  await goOn(told, manyBytes);
  expect(await bed.droppedAway()).toBe(0);

  const entries = await awayTable.read(guestAddress);
  const own = entries.filter((flow) => guestFlow(guestAddress, flow).peer === clientAddress);
  expect(await awayTable.forget(own)).toBe(5);
  await expect.poll(() => bed.droppedAway(), { timeout: 10_000 }).toBeGreaterThan(3);
  const again = own.map((flow) => guestFlow(guestAddress, flow));
  expect(await awayTable.install(guestAddress, again, kept)).toMatchObject({ installed: 5 });
  await goOn(told, mebibyte);
  // The sessions' are other entries now, unless the kernel has given them the same places again.
  expect(await awayTable.forget(entries)).toBeGreaterThanOrEqual(20_000);
});

/** Every session moves on. */
async function goOn(told: AsyncIterator<Moved>, bulk: number): Promise<void> {
  const { value: before } = await told.next();
  const atLeast: Moved = { download: bulk, upload: bulk, outward: bulk, echo: 10, translated: 10 };
  const isDone = (now: Moved) =>
    Object.entries(atLeast).every(([name, more]) => (now[name] ?? 0) >= (before[name] ?? 0) + more);
  for (;;) {
    const { value: now } = await told.next();
    if (isDone(now)) return;
  }
}
