import { placedArguments } from "./carried-arguments.ts";
import { escaped, OptionList } from "./option-list.ts";

/**
 * The arguments for a process that is never to run the guest: on no tap, with no console, and with plain memory that is
 * neither taken nor locked, since that of the guest that runs may fill the host, or its huge pages.
 */
export function rehearsalArguments(carried: readonly string[]): string[] {
  const words: string[] = [];
  for (let index = 0; index < carried.length; index++) {
    const word = carried[index] ?? "";
    const value = carried[index + 1] ?? "";
    if (word === "-mem-prealloc") continue;
    const changed = replacement(word, value);
    if (changed === null) words.push(word);
    else {
      words.push(...changed);
      index += 1;
    }
  }
  return placedArguments(words, { tapName: "", console: "/dev/null" });
}

/** What stands for an option with its value; null where both stay. */
function replacement(word: string, value: string): string[] | null {
  if (word === "-overcommit" || word === "-mem-path") return [];
  if (word === "-object") return [word, plainMemory(value)];
  if (!value.startsWith("tap,")) return null;
  // Its NIC is there without it.
  if (word === "-net") return [];
  return word === "-netdev" || word === "-nic" ? [word, withoutTap(value)] : null;
}

const memoryKeys = ["id", "size", "share", "merge", "dump", "host-nodes", "policy"];

function plainMemory(value: string): string {
  const list = OptionList.parse(value, "qom-type");
  if (!list.get("qom-type")?.startsWith("memory-backend-")) return value;
  const kept = memoryKeys.flatMap((key) => {
    const text = list.get(key);
    return text === undefined ? [] : [`${key}=${escaped(text)}`];
  });
  return ["memory-backend-ram", ...kept].join(",");
}

const tapKeys = /^(ifname|script|downscript|vnet_hdr|vhost|vhostforce|sndbuf|poll-us)=/;

/** A hub without other ports takes the frames. */
function withoutTap(value: string): string {
  const kept = value
    .split(",")
    .slice(1)
    .filter((key) => !tapKeys.test(key));
  return ["hubport", "hubid=0", ...kept].join(",");
}
