import { join } from "node:path";
import { type GuestDefinition, parseGuestDefinition } from "../../hypervisor/definition.ts";
import { readIfThere } from "../../lab/files.ts";
import { firstHost, guestName, kernelWords } from "../../lab/guests.ts";
import { hostAddresses, labPaths } from "../../lab/layout.ts";
import { checkNode } from "../../lab/nodes.ts";
import { preconditionError, usageError } from "../../platform/errors.ts";
import { derivedMac } from "../../platform/names.ts";

/** The guest of the controls and the two hosts between which it moves. */
export interface ControlGuest {
  lab: string;
  from: string;
  to: string;
  address: string;
  definition: GuestDefinition;
}

const name = "plain1";

/**
 * A twin of the lab's first guest, at an address of its own in the guest subnet of `from`.
 * @throws SojournError `SOJ_BENCH_NO_GUEST`, `SOJ_USAGE`, `SOJ_LAB_NOT_UP`, `SOJ_LAB_NODE_UNKNOWN`
 */
export function controlGuest(options: {
  lab: string;
  from: string;
  to: string;
  memoryMib: number;
  append: string;
}): ControlGuest {
  const { lab, from, to, memoryMib, append } = options;
  for (const host of [from, to]) checkNode(lab, host);
  if (from === to) throw usageError(`a move needs two hosts, not ${from} twice`);
  const { guestGateway: gateway } = hostAddresses(from);
  const address = gateway.replace(/\.1$/, ".200");
  const words = [
    ...[...kernelWords, `sojourn.hostname=${name}`],
    ...[`sojourn.address=${address}/24`, `sojourn.gateway=${gateway}`, append],
  ];
  const { uuid: _, ...hardware } = firstGuest(lab);
  const definition: GuestDefinition = {
    ...hardware,
    name,
    memory_mib: memoryMib,
    append: words.join(" ").trim(),
    nics: [{ mac: derivedMac(`lab ${lab} guest ${name}`), addresses: [`${address}/24`], gateway }],
  };
  return { lab, from, to, address, definition };
}

function firstGuest(lab: string): GuestDefinition {
  const path = join(labPaths(lab).node(firstHost).etc, "guests", `${guestName(1)}.toml`);
  const text = readIfThere(path);
  if (text !== null) return parseGuestDefinition(text, path);
  throw preconditionError("SOJ_BENCH_NO_GUEST", `the lab ${lab} has no guest ${guestName(1)}`, {
    hint: `sojourn lab up --lab ${lab} --guests 1 brings one`,
  });
}
