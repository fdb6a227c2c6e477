/**
 * Small program: makes this host's kernel track COUNT established sessions of a guest's echo service, 100 of each peer, as
 * if it had seen them.
 * usage: fill-flows GUEST COUNT
 */
import type { GuestFlow } from "../../../src/routing/flows/flow-table.ts";
import { KernelFlowTable } from "../../../src/routing/flows/kernel-flow-table.ts";

const [guest = "", count = ""] = process.argv.slice(2);
const flows = Array.from(
  { length: Number(count) },
  (_, number): GuestFlow => ({
    ...{
      protocol: 6,
      direction: "in",
      peer: `198.51.${100 + Math.floor(number / 20_000)}.${1 + (Math.floor(number / 100) % 200)}`,
    },
    ...{ peerPort: 10_000 + (number % 100), guestPort: 7, icmp: null, state: "ESTABLISHED" },
    ...{ replied: true, assured: true, timeoutS: 86_400, windowScale: { original: 7, reply: 7 } },
  }),
);
using table = new KernelFlowTable();
const { installed, refused } = await table.install(guest, flows, { redirected: false });
if (installed !== flows.length)
  throw new Error(`${installed} of ${count}: ${JSON.stringify(refused)}`);
