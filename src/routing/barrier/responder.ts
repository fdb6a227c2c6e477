import type { BarrierEnd, RoutingPlane } from "../desired.ts";
import { portMac } from "../diff-links.ts";
import { checkAddress, checkDevice, checkMac } from "../normalise.ts";
import { readBridge } from "./bridge.ts";
import { insideStep, mark, namespaceSteps, vethStep, withoutIpv6 } from "./lines.ts";
import { barrierNames } from "./names.ts";
import { runSteps, type Step } from "./steps.ts";

type Options = Parameters<RoutingPlane["openBarrierResponder"]>[0];

/**
 * Opens the replying end: a port of the bridge that owns the guest's MAC address for the time and answers
 * echo requests for the guest's address. It neither asks nor answers ARP, so nobody on the bridge learns of it.
 * @throws SojournError `SOJ_ROUTING_NO_DEVICE`, `SOJ_ROUTING_BAD_STATE`; CommandError.
 */
export async function openBarrierResponder(options: Options): Promise<BarrierEnd> {
  const names = barrierNames("responder", options.id);
  const guestMac = checkMac(options.guestMac);
  const bridge = checkDevice(options.bridge);
  const { namespace, link } = names;
  const { mtu } = await readBridge(bridge);
  await using made = new AsyncDisposableStack();
  made.use(
    await runSteps([
      ...namespaceSteps(namespace),
      vethStep({ namespace, link, linkMac: portMac(link), insideMac: guestMac, mtu }),
      {
        run: ["ip"],
        lines: [...withoutIpv6(link), ["link", "set", "dev", link, "master", bridge]],
      },
      {
        run: ["bridge"],
        lines: [
          [
            ...["link", "set", "dev", link, "learning", "off", "flood", "off"],
            ...["mcast_flood", "off", "bcast_flood", "off"],
          ],
          ["fdb", "replace", guestMac, "dev", link, "master", "static"],
        ],
      },
    ]),
  );
  // A bridge without a fixed address may take another one with each new port.
  const { mac: gatewayMac } = await readBridge(bridge);
  made.use(
    await runSteps([
      insideStep({ namespace, address: checkAddress(options.guestAddress), gatewayMac }),
      { run: ["ip", "link", "set", "dev", link, "up"] },
      ...returnSteps(options.returnRoute),
    ]),
  );
  const owned = made.move();
  return { namespace, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function returnSteps(route: Options["returnRoute"]): Step[] {
  if (route === null) return [];
  const { via, device, table } = route;
  const key = [`${checkAddress(route.barrierAddress)}/32`, "dev", checkDevice(device)];
  const nextHop = via === null ? [] : ["via", checkAddress(via), "onlink"];
  const rest = ["table", String(table), "proto", mark];
  return [
    {
      run: ["ip", "route", "add", ...key, ...nextHop, ...rest],
      undo: ["ip", "route", "del", ...key, ...rest],
    },
  ];
}
