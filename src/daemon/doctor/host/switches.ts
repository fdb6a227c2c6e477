import { readSysctl } from "../../../routing/sysctls.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, type Topic, warn } from "../check.ts";

/** Devices whose kernel switches count. */
export interface SwitchedDevices {
  /** Towards the peers; null when it is not known. */
  underlay: string | null;
  /** Guest networks' bridges that exist. */
  bridges: readonly string[];
}

type Read = (path: string) => Promise<string | null>;

/**
 * The kernel's switches on which a guest's traffic depends (Documentation/networking/ip-sysctl.rst). Those of its own
 * devices Sojourn sets by itself.
 */
export async function checkSwitches(
  { underlay, bridges }: SwitchedDevices,
  read: Read = readSysctl,
): Promise<DoctorCheck[]> {
  const devices = [...(underlay === null ? [] : [underlay]), ...bridges];
  return [
    ...(await checkForwarding(devices, read)),
    ...(await checkReversePath(devices, read)),
    ...(await checkRedirects(bridges, read)),
    ...(await checkProxyDelay(bridges, read)),
  ];
}

const forwarding: Topic = {
  id: "forwarding",
  name: "ip_forward",
  why: "Guests' packets go through this host as through a router; without forwarding it drops all of them.",
};

async function checkForwarding(devices: readonly string[], read: Read): Promise<DoctorCheck[]> {
  const whole = await read("net/ipv4/ip_forward");
  if (whole !== "1") {
    return [fail(forwarding, "this host does not forward", setTo("net/ipv4/ip_forward", "1"))];
  }
  const checks = [ok(forwarding, "this host forwards")];
  for (const device of devices) {
    const path = `net/ipv4/conf/${device}/forwarding`;
    if ((await read(path)) !== "0") continue;
    const topic = { ...forwarding, subject: device, name: `forwarding ${device}` };
    checks.push(fail(topic, `what arrives on ${device} is not forwarded`, setTo(path, "1")));
  }
  return checks;
}

const reversePath: Topic = {
  id: "rp-filter",
  name: "rp_filter",
  why: "While a guest is away its packets arrive where the route back does not lead; a strict filter drops them silently.",
};

/** The larger of `all` and the device's own value counts; 2 (loose) lets pass what any route leads back to. */
async function checkReversePath(devices: readonly string[], read: Read): Promise<DoctorCheck[]> {
  const all = await read("net/ipv4/conf/all/rp_filter");
  const checks: DoctorCheck[] = [];
  for (const device of devices) {
    const path = `net/ipv4/conf/${device}/rp_filter`;
    const own = await read(path);
    if (own === null || Math.max(Number(all), Number(own)) !== 1) continue;
    const topic = { ...reversePath, subject: device, name: `rp_filter ${device}` };
    checks.push(warn(topic, `${device} filters strictly (1)`, setTo(path, "2")));
  }
  if (checks.length > 0) return checks;
  return [ok(reversePath, `nowhere strict where guests' packets pass (conf.all is ${all})`)];
}

const redirects: Topic = {
  id: "send-redirects",
  name: "send_redirects",
  why: "An ICMP redirect tells a guest's neighbour of a way around this host, which ends when the guest moves.",
};

/** Either of `all` and the device's own value switches it on. */
async function checkRedirects(bridges: readonly string[], read: Read): Promise<DoctorCheck[]> {
  const all = await read("net/ipv4/conf/all/send_redirects");
  const checks: DoctorCheck[] = [];
  for (const bridge of bridges) {
    const path = `net/ipv4/conf/${bridge}/send_redirects`;
    const own = await read(path);
    if (own === null || (all !== "1" && own !== "1")) continue;
    const topic = { ...redirects, subject: bridge, name: `send_redirects ${bridge}` };
    const paths = [
      ...(all === "1" ? ["net/ipv4/conf/all/send_redirects"] : []),
      ...(own === "1" ? [path] : []),
    ];
    const remedy = { mend: paths.map((one) => line(one, "0")), fixable: true };
    checks.push(warn(topic, `${bridge} sends redirects`, remedy));
  }
  return checks.length > 0 || bridges.length === 0 ? checks : [ok(redirects, "off")];
}

const proxyDelay: Topic = {
  id: "proxy-delay",
  name: "proxy_delay",
  why: "A proxy's answer that is delayed makes the guest's neighbours wait at the switchover.",
};

/** Sojourn sets 0 on a bridge while it stands in for one of its guests, where the switch exists. */
async function checkProxyDelay(bridges: readonly string[], read: Read): Promise<DoctorCheck[]> {
  const checks = [];
  for (const bridge of bridges) {
    const topic = { ...proxyDelay, subject: bridge, name: `proxy_delay ${bridge}` };
    const value = await read(`net/ipv4/neigh/${bridge}/proxy_delay`);
    if (value === null) {
      checks.push(fail(topic, "this kernel has no such switch", { hint: "use another kernel" }));
    } else {
      const whose = value === "0" ? "" : ", and 0 while a guest of it is away";
      checks.push(ok(topic, `${Number(value) * 10} ms${whose}`));
    }
  }
  return checks;
}

function setTo(path: string, value: string) {
  return { mend: line(path, value), fixable: true };
}

/** With dots, as people write it, unless a device's name holds one. */
function line(path: string, value: string): string {
  return `sysctl -w ${path.includes(".") ? path : path.replaceAll("/", ".")}=${value}`;
}
