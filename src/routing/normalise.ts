import { isIPv4 } from "node:net";
import { isOurInterface } from "../platform/names.ts";
import type { DesiredState, PacketMark, Route, Rule } from "./desired.ts";
import { badDesiredState } from "./failures.ts";
import { copySink } from "./oversized.ts";

/**
 * The desired state in the kernel's spelling: prefixes masked, `/32` written out, doubles dropped, sysctl
 * paths with slashes.
 * @throws SojournError `SOJ_ROUTING_BAD_STATE` for names, addresses or values that cannot be meant.
 */
export function normalise(desired: DesiredState): DesiredState {
  for (const { name, mac } of desired.bridges) {
    checkOwnName(name, "b");
    if (mac !== null) checkMac(mac);
  }
  for (const tap of desired.taps) {
    checkOwnName(tap.name, "p");
    checkDevice(tap.bridge);
    checkNumber("tap queue length", tap.txQueueLength, 1, 1_000_000);
  }
  for (const neighbour of desired.neighbours) {
    checkDevice(neighbour.device);
    checkAddress(neighbour.address);
    if (neighbour.kind === "permanent") checkMac(neighbour.mac);
  }
  for (const entry of desired.fdb) {
    checkOwnName(entry.device, "p");
    checkMac(entry.mac);
    if (!desired.taps.some(({ name }) => name === entry.device)) {
      throw badDesiredState(`a bridge entry names ${entry.device}, which is not a wanted tap`);
    }
  }
  checkFilter(desired);
  const sink = copySink(desired.filter);
  return {
    bridges: unique([...desired.bridges, ...sink.bridges]),
    taps: unique(desired.taps),
    routes: unique([...desired.routes, ...sink.routes].map(normaliseRoute)),
    rules: unique(desired.rules.map(normaliseRule)),
    neighbours: unique(
      desired.neighbours.map((n) =>
        n.kind === "permanent" ? { ...n, mac: n.mac.toLowerCase() } : { ...n },
      ),
    ),
    fdb: unique(desired.fdb.map((entry) => ({ ...entry, mac: entry.mac.toLowerCase() }))),
    sysctls: unique(desired.sysctls.map((s) => ({ ...s, path: normaliseSysctlPath(s.path) }))),
    filter: desired.filter,
  };
}

/** @throws SojournError `SOJ_ROUTING_BAD_STATE`. */
export function normaliseRoute(route: Route): Route {
  checkNumber("routing table", route.table, 1, 0xffffffff);
  if ((route.device === null) === (route.type === "unicast")) {
    throw badDesiredState(`route ${route.prefix} needs a device, or is ${route.type} and has none`);
  }
  if (route.device !== null) checkDevice(route.device);
  if (route.via !== null) checkAddress(route.via);
  if (route.mtu !== null) checkNumber("route MTU", route.mtu, 68, 65535);
  return { ...route, prefix: normalisePrefix(route.prefix) };
}

/** @throws SojournError `SOJ_ROUTING_BAD_STATE` for what is not IPv4 in CIDR notation, an address or `default`. */
export function normalisePrefix(prefix: string): string {
  if (prefix === "default") return prefix;
  const [address = "", lengthText = "32", ...rest] = prefix.split("/");
  const length = /^\d{1,2}$/.test(lengthText) ? Number(lengthText) : 33;
  if (!isIPv4(address) || length > 32 || rest.length > 0) {
    throw badDesiredState(`${JSON.stringify(prefix.slice(0, 40))} is not an IPv4 prefix`);
  }
  if (length === 0) return "default";
  const bits = address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const masked = Math.floor(bits / 2 ** (32 - length)) * 2 ** (32 - length);
  const octets = [24, 16, 8, 0].map((shift) => Math.floor(masked / 2 ** shift) % 256);
  return `${octets.join(".")}/${length}`;
}

/** @throws SojournError `SOJ_ROUTING_BAD_STATE` for anything outside `net/`. */
export function normaliseSysctlPath(path: string): string {
  const slashed = path.includes("/") ? path : path.replaceAll(".", "/");
  const parts = slashed.split("/");
  const isFine = parts.every((part) => /^[A-Za-z0-9._-]+$/.test(part) && !/^\.+$/.test(part));
  if (parts[0] !== "net" || !isFine) {
    throw badDesiredState(`${JSON.stringify(path.slice(0, 80))} is not a sysctl below net/`);
  }
  return slashed;
}

/** @throws SojournError `SOJ_ROUTING_BAD_STATE` unless it can be an interface's name (at most 15 bytes). */
export function checkDevice(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/.test(name)) return name;
  throw badDesiredState(`${JSON.stringify(name.slice(0, 40))} is not an interface name`);
}

/** @throws SojournError `SOJ_ROUTING_BAD_STATE`. */
export function checkAddress(address: string): string {
  if (isIPv4(address)) return address;
  throw badDesiredState(`${JSON.stringify(address.slice(0, 40))} is not an IPv4 address`);
}

/** @throws SojournError `SOJ_ROUTING_BAD_STATE` unless it is a unicast MAC address. */
export function checkMac(mac: string): string {
  if (/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i.test(mac)) return mac;
  throw badDesiredState(`${JSON.stringify(mac.slice(0, 40))} is not a unicast MAC address`);
}

function normaliseRule(rule: Rule): Rule {
  checkNumber("rule priority", rule.priority, 1, 32765);
  checkNumber("routing table", rule.table, 1, 0xffffffff);
  if (rule.iif !== null) checkDevice(rule.iif);
  if (rule.mark !== undefined) checkMark(rule.mark);
  const selector = (cidr: string | null) => {
    const prefix = cidr === null ? "default" : normalisePrefix(cidr);
    return prefix === "default" ? null : prefix;
  };
  return { ...rule, from: selector(rule.from), to: selector(rule.to) };
}

/** The kernel has no rule with a value outside the mask that would ever match. */
function checkMark({ value, mask }: PacketMark): void {
  checkNumber("mark's mask", mask, 1, 0xffffffff);
  if ((value & ~mask) !== 0) throw badDesiredState(`mark ${value} has bits outside ${mask}`);
}

function checkFilter({ filter }: DesiredState): void {
  for (const { device, from, to } of filter.tunnelGuests) {
    checkDevice(device);
    [...from, ...to].forEach(checkAddress);
  }
  for (const { local, remote, vni, mac } of filter.tunnelEnds) {
    checkAddress(local);
    checkAddress(remote);
    if (mac !== null) checkMac(mac);
    if (vni !== null) checkNumber("VXLAN network identifier", vni, 0, 0xffffff);
  }
  for (const { tap, bridge, only } of filter.gatewayFrames) {
    checkDevice(tap);
    checkDevice(bridge);
    if (only === undefined) continue;
    checkMac(only.mac);
    normalisePrefix(only.prefix);
    checkAddress(only.except);
  }
  for (const { bridge, mac } of filter.guestFrames) {
    checkDevice(bridge);
    checkMac(mac);
  }
  for (const { address, device, gateway } of filter.copies) {
    checkAddress(address);
    checkDevice(device);
    checkAddress(gateway);
  }
  for (const { address, device, mtu, elsewhere } of filter.sizeLimits) {
    checkAddress(address);
    checkDevice(device);
    checkNumber("tunnel MTU", mtu, 68, 65535);
    elsewhere.forEach(normalisePrefix);
  }
  for (const { guest, address, bridge, tap, tunnels } of filter.renumbered) {
    checkAddress(guest);
    checkAddress(address);
    checkDevice(bridge);
    checkDevice(tap);
    tunnels.forEach(checkDevice);
  }
}

function checkOwnName(name: string, letter: "b" | "p"): void {
  if (isOurInterface(name) && name[2] === letter) return;
  throw badDesiredState(`${JSON.stringify(name.slice(0, 40))} does not have the form sj${letter}…`);
}

function checkNumber(what: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw badDesiredState(`${what} ${value} is not between ${least} and ${most}`);
}

function unique<Value>(values: readonly Value[]): Value[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}
