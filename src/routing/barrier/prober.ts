import type { BarrierEnd, RoutingPlane } from "../desired.ts";
import { mainTable, rulePriorities } from "../desired.ts";
import { portMac } from "../diff-links.ts";
import { checkAddress, checkDevice } from "../normalise.ts";
import { writeSysctl } from "../sysctls.ts";
import { readMtu } from "./bridge.ts";
import { insideLink, insideStep, mark, namespaceSteps, vethStep, withoutIpv6 } from "./lines.ts";
import { type BarrierNames, barrierNames } from "./names.ts";
import { runSteps, type Step } from "./steps.ts";

type Options = Parameters<RoutingPlane["openBarrierProber"]>[0];

const usualMtu = 1500;

/**
 * Opens the asking end: packets from its namespace to the guest are forwarded by this host into the tunnel,
 * whatever this host's own route to the guest is.
 * @throws SojournError `SOJ_ROUTING_NO_DEVICE`, `SOJ_ROUTING_BAD_STATE`; CommandError.
 */
export async function openBarrierProber(options: Options): Promise<BarrierEnd> {
  const names = barrierNames("prober", options.id);
  const { namespace, link } = names;
  const address = checkAddress(options.barrierAddress);
  const guest = checkAddress(options.guestAddress);
  const tunnel = checkDevice(options.tunnelDevice);
  const mtu = Math.max(usualMtu, await readMtu(tunnel));
  const hostMac = portMac(link);
  const insideMac = portMac(`${link} ${insideLink}`);
  await using made = new AsyncDisposableStack();
  made.use(
    await runSteps([
      ...namespaceSteps(namespace),
      vethStep({ namespace, link, linkMac: hostMac, insideMac, mtu }),
      insideStep({ namespace, address, gatewayMac: hostMac }),
    ]),
  );
  await writeSysctl(`net/ipv4/conf/${link}/rp_filter`, "2");
  await writeSysctl(`net/ipv4/conf/${link}/forwarding`, "1");
  made.use(
    await runSteps([
      {
        run: ["ip"],
        lines: [
          ...withoutIpv6(link),
          ["link", "set", "dev", link, "arp", "off", "up"],
          [
            ...["neigh", "replace", address, "lladdr", insideMac, "dev", link],
            ...["nud", "permanent", "protocol", mark],
          ],
          ["route", "add", `${address}/32`, "dev", link, "proto", mark],
        ],
      },
      ...guestSteps(names, guest, tunnel, options.via),
      ...answerSteps(address, tunnel),
    ]),
  );
  const owned = made.move();
  return { namespace, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** What comes back leads here also where a guest's packets out of the tunnel take the way of its LAN. */
function answerSteps(address: string, tunnel: string): Step[] {
  const rule = [
    ...["pref", String(rulePriorities.barrier), "iif", tunnel, "to", `${address}/32`],
    ...["lookup", String(mainTable), "protocol", mark],
  ];
  return [{ run: ["ip", "rule", "add", ...rule], undo: ["ip", "rule", "del", ...rule] }];
}

function guestSteps(
  names: BarrierNames,
  guest: string,
  tunnel: string,
  via: string | null,
): Step[] {
  const table = ["table", String(names.table)];
  const nextHop = via === null ? [] : ["via", checkAddress(via), "onlink"];
  const route = [`${guest}/32`, "dev", tunnel, ...table, "proto", mark];
  const rule = [
    ...["pref", String(rulePriorities.barrier), "iif", names.link, "to", `${guest}/32`],
    ...["lookup", String(names.table), "protocol", mark],
  ];
  return [
    {
      run: ["ip", "route", "add", ...route.slice(0, 3), ...nextHop, ...route.slice(3)],
      undo: ["ip", "route", "del", ...route],
    },
    { run: ["ip", "rule", "add", ...rule], undo: ["ip", "rule", "del", ...rule] },
  ];
}
