import { access, constants, readFile } from "node:fs/promises";
import type { GuestDefinition } from "../../../hypervisor/definition.ts";
import { nicAddresses } from "../../../hypervisor/nic-addresses.ts";
import { definedNames, readDefinition } from "../../../migrator/guest-definitions.ts";
import { namePattern } from "../../../platform/names.ts";
import type { DaemonConfig } from "../../config.ts";
import type { DoctorCheck } from "../../services.ts";
import { attempt, fail, ok, skipped, type Topic, warn } from "../check.ts";
import { inPrefix } from "../firewall/packet.ts";
import { readGuestRecords } from "../leftovers.ts";

/** Every guest definition of this host, and what the definitions need. */
export async function checkGuests(config: DaemonConfig): Promise<DoctorCheck[]> {
  const folder = config.paths.guests;
  const checks: DoctorCheck[] = [];
  const valid: GuestDefinition[] = [];
  const records = (await readGuestRecords(config.paths.state)) ?? [];
  const homeOf = new Map(records.map(({ guest, home }) => [guest, home.host]));
  for (const name of definedNames(folder).toSorted()) {
    const topic = guestTopic(name);
    if (!namePattern.test(name)) {
      checks.push(fail(topic, `${name.slice(0, 80)}.toml is not named after a guest`));
      continue;
    }
    const made = await attempt(topic, async () => {
      const definition = readDefinition(folder, name, config.host.name);
      valid.push(definition);
      return await checkDefinition(topic, config, definition, homeOf);
    });
    checks.push(...made);
  }
  return [...checks, ...repeatedAddresses(valid), await checkHugePages(valid)];
}

/** Definitions of this host that are right; what is wrong with the others `checkGuests` tells. */
export function validDefinitions(config: DaemonConfig): GuestDefinition[] {
  const { guests: folder } = config.paths;
  return definedNames(folder).flatMap((name) => {
    try {
      return namePattern.test(name) ? readDefinition(folder, name, config.host.name) : [];
    } catch {
      return [];
    }
  });
}

function guestTopic(name: string): Topic {
  return {
    ...{ id: "guest", subject: name, name: `guest ${name}` },
    why: "A guest whose definition or files are wrong cannot be started or moved.",
  };
}

async function checkDefinition(
  topic: Topic,
  config: DaemonConfig,
  guest: GuestDefinition,
  homeOf: ReadonlyMap<string, string>,
): Promise<DoctorCheck> {
  const missing = await missingFiles(guest);
  if (missing.length > 0) {
    return fail(topic, `cannot read ${missing.slice(0, 5).join(", ")}`, {
      mend: missing.slice(0, 5).map((path) => `ls -l ${path}`),
      hint: "mount the storage, or correct the path in the definition",
    });
  }
  const addresses = nicAddresses(guest);
  if (guest.nics.length !== 1 || addresses.length !== 1) {
    const hint = "give it one NIC with one address";
    return warn(topic, "can run, but not move: it needs one NIC with one address", { hint });
  }
  const [address = ""] = addresses;
  const isAtHome = config.guestNetworks.some(({ subnet }) => {
    const [prefix = "", length = ""] = subnet.split("/");
    return inPrefix(address, prefix, Number(length)) === true;
  });
  if (isAtHome) return ok(topic, `${address}, ${guest.memory_mib} MiB`);
  const anchor = homeOf.get(guest.name);
  if (anchor !== undefined) {
    return ok(topic, `${address}, behind ${anchor}, ${guest.memory_mib} MiB`);
  }
  const hint =
    "its definition belongs on the host whose guest network holds its address, unless an anchor among [peers] does: sojourn host ls";
  const detail = `${address} is in no guest network of this host`;
  return (config.peers.size > 0 ? warn : fail)(topic, detail, { hint });
}

/** Files that QEMU opens for this guest. */
export function filesOf({ disks, kernel, initrd }: GuestDefinition): string[] {
  return [
    ...disks.map(({ path }) => path),
    ...[kernel, initrd].filter((path) => path !== undefined),
  ];
}

/** Of these, the ones that cannot be read on this host. */
export async function missingFiles(guest: GuestDefinition): Promise<string[]> {
  const missing: string[] = [];
  for (const path of filesOf(guest)) {
    if (!(await isReadable(path))) missing.push(path);
  }
  return missing;
}

function repeatedAddresses(guests: readonly GuestDefinition[]): DoctorCheck[] {
  const owners = Map.groupBy(
    guests.flatMap(({ name, nics }) =>
      nics.flatMap(({ mac, addresses }) =>
        [mac, ...addresses.map((address) => address.split("/")[0] ?? "")].map((value) => ({
          name,
          value,
        })),
      ),
    ),
    ({ value }) => value,
  );
  return [...owners].flatMap(([value, all]) => {
    const names = [...new Set(all.map(({ name }) => name))];
    if (names.length < 2) return [];
    const topic: Topic = {
      ...{ id: "guest-address", subject: value },
      why: "Two guests with one address take each other's packets.",
    };
    const hint = "give each an address and a MAC address of its own";
    return [fail(topic, `is ${names.join("'s and ")}'s`, { hint })];
  });
}

const hugePages: Topic = {
  id: "hugepages",
  why: "A guest that asks for huge pages does not start, or arrive, without enough of them.",
};

async function checkHugePages(guests: readonly GuestDefinition[]): Promise<DoctorCheck> {
  const asking = guests.filter(({ extra_arguments: extra, qemu_arguments: carried = [] }) =>
    [...extra, ...carried].some((argument) => /hugetlb=on|hugepages/.test(argument)),
  );
  if (asking.length === 0) return skipped(hugePages, "no guest asks for them");
  return judgeHugePages(
    await readFile("/proc/meminfo", "utf8"),
    Math.max(...asking.map(({ memory_mib }) => memory_mib)),
  );
}

/** Whether the largest guest fits. `meminfo`: proc_meminfo(5). Pure. */
export function judgeHugePages(meminfo: string, neededMib: number): DoctorCheck {
  const value = (key: string) =>
    Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(meminfo)?.[1] ?? 0);
  const pageKib = value("Hugepagesize") || 2048;
  const freeMib = (value("HugePages_Free") * pageKib) / 1024;
  if (freeMib >= neededMib) return ok(hugePages, `${freeMib} MiB free`);
  const total = value("HugePages_Total") + Math.ceil(((neededMib - freeMib) * 1024) / pageKib);
  const mend = `sysctl -w vm.nr_hugepages=${total}`;
  return fail(hugePages, `${freeMib} MiB free, a guest asks for ${neededMib}`, { mend });
}

function isReadable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}
