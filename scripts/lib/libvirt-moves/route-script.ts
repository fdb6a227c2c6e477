import { guestAddress, guestName } from "../../../src/lab/guests.ts";
import {
  bridgeMac,
  guestBridge,
  hostAddresses,
  hostNumber,
  namespaceName,
} from "../../../src/lab/layout.ts";
import { domainTap } from "../../../src/lab/libvirt/domain.ts";
import { runCommand } from "../../../src/platform/command.ts";

const home = "host-a";
const away = "host-b";
const tunnel = "byhand0";
const bridge = "byhandbr";
const table = 4711;
const addressIn = (host: string) => `192.168.99.${hostNumber(host)}`;

/**
 * What an operator without Sojourn sets up once, so that little is left to do when a guest moves: a tunnel between the
 * hosts, and at the other host a bridge for the guest whose gateway has the address and the MAC of home's, and whose
 * replies leave through the tunnel. Goes with the lab.
 */
export async function prepareRoutes(lab: string, number: number): Promise<void> {
  for (const [host, other] of [
    [home, away],
    [away, home],
  ] as const) {
    const [local, remote] = [host, other].map((one) => hostAddresses(one).underlayAddress);
    await ip(lab, host, [
      `link add ${tunnel} type vxlan id 99 local ${local} remote ${remote} dstport 8472`,
      `addr add ${addressIn(host)}/30 dev ${tunnel}`,
      `link set ${tunnel} up`,
    ]);
  }
  await ip(lab, away, [
    `link add ${bridge} address ${bridgeMac(lab, home)} type bridge forward_delay 0`,
    `addr add ${hostAddresses(home).guestGateway}/32 dev ${bridge}`,
    `link set ${bridge} up`,
    `link set ${domainTap(guestName(number))} master ${bridge}`,
    `route add default via ${addressIn(home)} dev ${tunnel} table ${table}`,
    `rule add iif ${bridge} from ${guestAddress(number)} lookup ${table}`,
  ]);
}

/** What such an operator's script does at both hosts once virsh has returned. */
export async function moveRoutes(lab: string, number: number, to: string): Promise<void> {
  const address = guestAddress(number);
  const isAway = to === away;
  await Promise.all([
    ip(lab, away, [`route ${isAway ? "replace" : "del"} ${address}/32 dev ${bridge}`]),
    ip(lab, home, [
      isAway
        ? `route replace ${address}/32 via ${addressIn(away)} dev ${tunnel}`
        : `route del ${address}/32`,
      `neigh ${isAway ? "replace" : "del"} proxy ${address} dev ${guestBridge}`,
    ]),
  ]);
}

/** One `ip` process for several lines, each an `ip` command without the word `ip`. */
async function ip(lab: string, host: string, lines: readonly string[]): Promise<void> {
  await runCommand("ip", ["-n", namespaceName(lab, host), "-batch", "-"], {
    input: `${lines.join("\n")}\n`,
  });
}
