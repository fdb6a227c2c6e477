/**
 * Makes the kernel of this network namespace track sessions of a guest with peers that are not there, in place of those
 * that it was made to track before. usage: replay.ts GUEST-ADDRESS COUNT
 */
import type { GuestFlow } from "../../../src/routing/flows/flow-table.ts";
import { KernelFlowTable } from "../../../src/routing/flows/kernel-flow-table.ts";

/** Of TEST-NET-2 (RFC 5737): nobody answers for them. */
const peers = "198.51.100.";
const portsOfPeer = 1_000;

const [guest = "", count = ""] = process.argv.slice(2);
using table = new KernelFlowTable();
const before = await table.read(guest);
await table.forget(before.filter(({ original }) => original.source.startsWith(peers)));
const { installed, refused } = await table.install(guest, replayed(Number(count)), {
  redirected: false,
});
if (installed !== Number(count)) {
  throw new Error(`only ${installed} of ${count} flows are tracked: ${JSON.stringify(refused)}`);
}

function replayed(all: number): GuestFlow[] {
  return Array.from({ length: all }, (_, index) => ({
    ...{ protocol: 6, direction: "in", guestPort: 7, icmp: null, state: "ESTABLISHED" },
    peer: `${peers}${1 + Math.floor(index / portsOfPeer)}`,
    peerPort: 10_000 + (index % portsOfPeer),
    ...{ replied: true, assured: true, timeoutS: 432_000 },
    windowScale: { original: 7, reply: 7 },
  }));
}
