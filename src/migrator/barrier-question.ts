import { randomBytes } from "node:crypto";
import { SojournError } from "../platform/errors.ts";
import type { BarrierEnd } from "../routing/desired.ts";
import type { TunnelInterface } from "../tunnels/tunnel.ts";
import { barrierIdentifier } from "./barrier-address.ts";
import { type BarrierQuestion, expectBarrier } from "./barrier-flow.ts";
import type { HostContext } from "./host-context.ts";
import { interruptible } from "./interruptible.ts";

/**
 * The asking end of the readiness barrier: full-size echo requests with a nonce, forwarded by this host into the tunnel.
 * The other end must be open.
 * @throws SojournError `SOJ_BARRIER_MTU` when only small packets come through, `SOJ_BARRIER_SILENT` when none does.
 */
export async function askThroughBarrier(
  { flows, network }: Pick<HostContext, "flows" | "network">,
  question: BarrierQuestion,
  tunnel: TunnelInterface,
  signal?: AbortSignal,
): Promise<void> {
  await expectBarrier(flows, question, false);
  await using prober = await network.routing.openBarrierProber({
    ...question,
    tunnelDevice: tunnel.interfaceName,
    via: tunnel.nextHop,
  });
  const probing = probeSizes(network.routing, prober, question, tunnel.mtu);
  // A probe that is given up ends by itself, without its namespace.
  await (signal === undefined ? probing : interruptible(probing, signal));
}

async function probeSizes(
  routing: HostContext["network"]["routing"],
  prober: BarrierEnd,
  { id, guestAddress }: BarrierQuestion,
  mtu: number,
): Promise<void> {
  const answered = (packetBytes: number) =>
    routing.probeThroughBarrier(prober, {
      guestAddress,
      packetBytes,
      nonceHex: randomBytes(16).toString("hex"),
      identifier: barrierIdentifier(id),
      timeoutMs: 3_000,
    });
  if (await answered(mtu)) return;
  if (await answered(576)) {
    throw new SojournError(
      "SOJ_BARRIER_MTU",
      `packets of ${mtu} bytes do not pass the tunnel, packets of 576 bytes do: the path's MTU is smaller than the tunnel expects`,
      { hint: "raise the MTU between the hosts, or lower that of the underlay interfaces" },
    );
  }
  throw new SojournError(
    "SOJ_BARRIER_SILENT",
    "no packet comes through the tunnel and back: it is blocked on the way, or one host does not forward",
    {
      hint: "sojourn doctor --peer HOST on both; is IP protocol 4 (or UDP 4789 for vxlan) let through?",
    },
  );
}
