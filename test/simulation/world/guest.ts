import { parseGuestDefinition } from "../../../src/hypervisor/definition.ts";
import type { HostFacts } from "../../../src/migrator/network.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import type { HostName } from "../schedule.ts";

const definition = parseGuestDefinition(
  `
  name = "web1"
  memory_mib = 128
  kernel = "/k"
  [[nics]]
  mac = "52:54:00:00:00:10"
  addresses = ["10.1.0.10/24"]
  gateway = "10.1.0.1"
  `,
  "simulation",
);

/** A guest that runs at home, on host-a. */
export const initialRecord: GuestRecord = {
  guest: "web1",
  definition,
  epoch: 0,
  home: { host: "host-a", underlayAddress: "172.16.1.2", gatewayMac: "52:54:00:00:01:01" },
  hosting: { stage: "running", tableIndex: 0, homeTunnel: null, sourceTunnel: null },
  redirect: null,
  outgoing: null,
  migration: null,
};

export const hostFacts: Record<HostName, HostFacts> = {
  "host-a": factsOf("host-a", 1),
  "host-b": factsOf("host-b", 2),
  "host-c": factsOf("host-c", 3),
};

function factsOf(name: HostName, number: number): HostFacts {
  return {
    name,
    underlayAddress: `172.16.${number}.2`,
    guestNetworks: [
      { subnet: `10.${number}.0.0/24`, gateway: `10.${number}.0.1`, bridge: "guests0" },
    ],
    tracksFlows: true,
  };
}
