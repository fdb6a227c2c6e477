import { Command } from "commander";
import type { SojournClient } from "../../client/index.ts";
import type { GuestSummary } from "../../daemon/services.ts";
import { createOutput } from "../output.ts";
import { formatTable } from "../table.ts";
import { addAdoption } from "./guest-adopt.ts";

interface GuestOptions {
  json?: boolean;
}

export function guestCommand(): Command {
  const guest = new Command("guest").description("the guests that this host knows");
  guest
    .command("ls")
    .description("list them")
    .option("--json", "print JSON, errors too")
    .action(async (options: GuestOptions) => {
      const guests = await (await connect()).listGuests();
      createOutput(options.json ?? false).result(guests, () => describe(guests));
    });
  addNamed(guest, "show", "state of one guest", (client, name) => client.showGuest(name));
  addNamed(guest, "start", "boot a guest at its home, or, behind an anchor, here", (client, name) =>
    client.startGuest(name),
  );
  addNamed(guest, "stop", "shut a guest down", (client, name) => client.stopGuest(name));
  addAdoption(guest, connect);
  return guest;
}

function addNamed(
  parent: Command,
  action: string,
  description: string,
  call: (client: SojournClient, name: string) => Promise<GuestSummary>,
): void {
  parent
    .command(`${action} <guest>`)
    .description(description)
    .option("--json", "print JSON, errors too")
    .action(async (name: string, options: GuestOptions) => {
      const summary = await call(await connect(), name);
      createOutput(options.json ?? false).result(summary, () => describe([summary]));
    });
}

function describe(guests: readonly GuestSummary[]): string {
  const rows = guests.map((guest) => [
    guest.name,
    guest.state,
    guest.host ?? "-",
    guest.home || "-",
    describeAddresses(guest),
    guest.memory_mib === 0 ? "-" : `${guest.memory_mib} MiB`,
  ]);
  const table = formatTable(["GUEST", "STATE", "HOST", "HOME", "ADDRESSES", "MEMORY"], rows);
  const faults = guests.flatMap(({ name, error }) =>
    error === null ? [] : `${name} is invalid: ${error.message} [${error.code}]`,
  );
  const domains = guests.flatMap(({ name, adoptable }) =>
    adoptable === true
      ? `${name} is libvirt's and no guest yet: sojourn guest adopt ${name} --libvirt`
      : [],
  );
  return [table, ...faults, ...domains].join("\n");
}

/** `10.1.0.10/24`, `10.1.0.10/24 10.2.0.2 (draining)`. */
function describeAddresses({ addresses, renumbered, redirect }: GuestSummary): string {
  const way = redirect === null || redirect === "kept" ? [] : [`(${redirect})`];
  return [addresses.join(",") || "-", ...(renumbered === null ? [] : [renumbered]), ...way].join(
    " ",
  );
}

async function connect(): Promise<SojournClient> {
  return (await import("../../client/index.ts")).createClient();
}
