import { dummyAddress, dummyAddressWords } from "../platform/dummy-address.ts";
import { derivedMac } from "../platform/names.ts";
import { type Action, bridge, ip, type LinkSettings } from "./actions.ts";
import type { Bridge, DesiredState, Tap } from "./desired.ts";
import { foreignObject, missingDevice } from "./failures.ts";
import type { KernelLink, KernelState } from "./kernel-state.ts";
import { sinkBridge } from "./oversized.ts";

const bridgeName = /^sjb[0-9a-f]{9}$/;
const tapName = /^sjp[0-9a-f]{9}$/;
const usualMtu = 1500;

/** The MAC address of a bridge of ours. */
export function bridgeMac({ name, mac }: Bridge): string {
  return mac?.toLowerCase() ?? derivedMac(`bridge ${name}`);
}

/**
 * The host-side MAC address of a tap or veth of ours. It starts with `fe`: a bridge without a fixed address
 * takes the lowest of its ports' addresses, and somebody else's bridge must not change its own for us.
 */
export function portMac(name: string): string {
  return `fe${derivedMac(`port ${name}`).slice(2)}`;
}

/** True for bridges and taps of this room. */
export function isOurLink(link: Pick<KernelLink, "name" | "kind">): boolean {
  return (
    (link.kind === "bridge" && bridgeName.test(link.name)) ||
    (link.kind === "tun" && tapName.test(link.name))
  );
}

/** @throws SojournError `SOJ_ROUTING_FOREIGN`, `SOJ_ROUTING_NO_DEVICE`. */
export function makeLinks(kernel: KernelState, desired: DesiredState): Action[] {
  const links = new Map(kernel.links.map((link) => [link.name, link]));
  const bridges = desired.bridges.flatMap((one) => makeBridge(one, links.get(one.name), kernel));
  const taps = desired.taps.flatMap((tap) => {
    const master = links.get(tap.bridge);
    const isDesired = desired.bridges.some(({ name }) => name === tap.bridge);
    if (!isDesired && master?.kind !== "bridge") throw missingDevice(tap.bridge, "bridge");
    return makeTap(tap, links.get(tap.name), master?.mtu ?? usualMtu, kernel.hasIpv6);
  });
  return [...bridges, ...taps];
}

/** Bridges and taps of ours that are not wanted; ports go before their bridge. */
export function removeLinks(kernel: KernelState, desired: DesiredState): Action[] {
  const wanted = new Set([...desired.bridges, ...desired.taps].map(({ name }) => name));
  const unwanted = kernel.links.filter((link) => isOurLink(link) && !wanted.has(link.name));
  const portsFirst = unwanted.toSorted((a, b) => rank(a) - rank(b));
  return portsFirst.map((link) => ({
    effect: "remove",
    change: { kind: "remove-link", name: link.name },
    run: ip("link", "del", "dev", link.name),
    undo: remake(link, kernel).flatMap((action) => (action.run === null ? [] : [action.run])),
  }));
}

function makeBridge(
  wanted: Bridge,
  existing: KernelLink | undefined,
  { hasIpv6, addresses }: Pick<KernelState, "hasIpv6" | "addresses">,
): Action[] {
  const { name } = wanted;
  const mac = bridgeMac(wanted);
  if (existing === undefined) {
    // The sink has no ports: nobody there could be asked for a link-layer address.
    const arp = name === sinkBridge ? ["arp", "off"] : [];
    const shape = ["type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0"];
    return [
      {
        effect: "make",
        change: { kind: "add-link", name, linkKind: "bridge" },
        run: ip("link", "add", "name", name, "address", mac, ...arp, ...shape),
        undo: [ip("link", "del", "dev", name)],
      },
      ...noLinkLocalAddress(name, hasIpv6),
      addDummyAddress(name),
      setLink(name, { mac, up: true }, ["up"], null),
    ];
  }
  if (!isOurLink(existing)) throw foreignObject(`the interface ${name}`);
  const hasAddress = addresses.some((one) => one.device === name && one.address === dummyAddress);
  return [
    ...(hasAddress ? [] : [addDummyAddress(name)]),
    ...(existing.mac === mac
      ? []
      : [setLink(name, { mac }, ["address", mac], ["address", existing.mac ?? mac])]),
    ...(existing.up ? [] : [setLink(name, { up: true }, ["up"], ["down"])]),
  ];
}

function makeTap(
  tap: Tap,
  existing: KernelLink | undefined,
  mtu: number,
  hasIpv6: boolean,
): Action[] {
  const { name } = tap;
  const queue = String(tap.txQueueLength);
  if (existing === undefined) {
    const mac = portMac(name);
    const line = ["txqueuelen", queue, "mtu", String(mtu)];
    return [
      {
        effect: "make",
        change: { kind: "add-link", name, linkKind: "tun" },
        run: ip("tuntap", "add", "dev", name, "mode", "tap"),
        undo: [ip("link", "del", "dev", name)],
      },
      ...noLinkLocalAddress(name, hasIpv6),
      setLink(
        name,
        { mac, txQueueLength: tap.txQueueLength, master: tap.bridge },
        ["address", mac, ...line, "master", tap.bridge],
        null,
      ),
      setLearning(name, null),
      setLink(name, { up: true }, ["up"], null),
    ];
  }
  if (!isOurLink(existing)) throw foreignObject(`the interface ${name}`);
  const length = existing.txQueueLength;
  const isMoved = existing.master !== tap.bridge;
  const back = existing.master === null ? ["nomaster"] : ["master", existing.master];
  return [
    ...(isMoved ? [setLink(name, { master: tap.bridge }, ["master", tap.bridge], back)] : []),
    ...(isMoved || existing.learning !== false ? [setLearning(name, existing.learning)] : []),
    // Never shortened: packets may wait in it.
    ...(length >= tap.txQueueLength
      ? []
      : [
          setLink(
            name,
            { txQueueLength: tap.txQueueLength },
            ["txqueuelen", queue],
            ["txqueuelen", String(length)],
          ),
        ]),
    ...(existing.up ? [] : [setLink(name, { up: true }, ["up"], ["down"])]),
  ];
}

function remake(link: KernelLink, kernel: KernelState): Action[] {
  if (link.kind === "bridge") {
    return makeBridge({ name: link.name, mac: link.mac }, undefined, kernel);
  }
  const { name, txQueueLength, master } = link;
  return makeTap(
    { name, bridge: master ?? "", txQueueLength },
    undefined,
    link.mtu,
    kernel.hasIpv6,
  ).filter(
    ({ change }) => master !== null || !(change.kind === "set-link" && "learning" in change.set),
  );
}

function setLink(name: string, set: LinkSettings, args: string[], back: string[] | null): Action {
  return {
    effect: "make",
    change: { kind: "set-link", name, set },
    run: ip("link", "set", "dev", name, ...args),
    undo: back === null ? [] : [ip("link", "set", "dev", name, ...back)],
  };
}

/** Comes and goes with its bridge. */
function addDummyAddress(device: string): Action {
  return {
    effect: "make",
    change: { kind: "add-address", device, address: dummyAddress },
    run: ip("address", "replace", ...dummyAddressWords, "dev", device),
    undo: [],
  };
}

/** Without it the kernel would announce an IPv6 link-local address of its own. */
function noLinkLocalAddress(name: string, hasIpv6: boolean): Action[] {
  return hasIpv6 ? [setLink(name, {}, ["addrgenmode", "none"], null)] : [];
}

/** The guest's MAC address is configured in the bridge, so a frame elsewhere that carries it moves nothing. */
function setLearning(name: string, before: boolean | null): Action {
  return {
    effect: "make",
    change: { kind: "set-link", name, set: { learning: false } },
    run: bridge("link", "set", "dev", name, "learning", "off"),
    undo: before === true ? [bridge("link", "set", "dev", name, "learning", "on")] : [],
  };
}

function rank(link: KernelLink): number {
  return link.kind === "bridge" ? 1 : 0;
}
