import { escaped, OptionList } from "./option-list.ts";
import { tapPlaceholder } from "./placeholders.ts";
import type { Rewriting } from "./rewriting.ts";

/** Keys of a tap backend that are about how the guest's frames are treated, not about which tap it is. */
const keptKeys = ["vnet_hdr", "vhost", "vhostforce", "sndbuf", "poll-us"];

/** `-netdev`: on a tap of the other process's own. */
export function netdev(value: string, rewriting: Rewriting): string[] {
  const list = OptionList.parse(value, "type");
  if (!isTap(list, rewriting)) return ["-netdev", value];
  const id = list.get("id") ?? "";
  return ["-netdev", ["tap", `id=${id}`, ...tapWords(list)].join(",")];
}

/** `-nic` and `-net`: the NIC's own keys stay. */
export function legacyNic(name: "nic" | "net", value: string, rewriting: Rewriting): string[] {
  const list = OptionList.parse(value, "type");
  const type = list.get("type");
  if (type === "none" || (name === "net" && type === "nic")) return [`-${name}`, value];
  if (!isTap(list, rewriting)) return [`-${name}`, value];
  const nicKeys = list
    .keys()
    .filter((key) => !tapKeys.has(key) && !keptKeys.includes(key) && key !== "type")
    .map((key) => `${key}=${escaped(list.get(key) ?? "")}`);
  return [`-${name}`, ["tap", ...tapWords(list), ...nicKeys].join(",")];
}

function isTap(list: OptionList, rewriting: Rewriting): boolean {
  const type = list.get("type") ?? "";
  if (type !== "tap" && type !== "bridge") {
    rewriting.refuse(`its NIC's frames go through ${type || "nothing"}: only a tap can be moved`);
    return false;
  }
  rewriting.taps += 1;
  const several = ["fds", "vhostfds"].some((key) => list.get(key)?.includes(":"));
  if (several || Number(list.get("queues") ?? 1) > 1) {
    rewriting.refuse("its NIC has several queues, and a tap of Sojourn's has one");
  }
  return true;
}

function tapWords(list: OptionList): string[] {
  const kept = keptKeys.flatMap((key) => {
    const value = list.get(key);
    return value === undefined ? [] : [`${key}=${value}`];
  });
  const isVhost = list.has("vhost") || !(list.has("vhostfd") || list.has("vhostfds"));
  const vhost = isVhost ? [] : ["vhost=on"];
  return [`ifname=${tapPlaceholder}`, "script=no", "downscript=no", ...kept, ...vhost];
}

const tapKeys = new Set([
  ...["br", "downscript", "fd", "fds", "helper", "ifname", "queues", "script", "vhostfd"],
  "vhostfds",
]);
