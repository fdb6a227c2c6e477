import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GuestDefinition } from "../../../src/hypervisor/definition.ts";
import { parseGuestDefinition } from "../../../src/hypervisor/definition.ts";
import type { HostFacts } from "../../../src/migrator/network.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import type { TunnelInterface, TunnelSpec } from "../../../src/tunnels/tunnel.ts";

export const hostA: HostFacts = {
  name: "host-a",
  underlayAddress: "172.16.1.2",
  guestNetworks: [{ subnet: "10.1.0.0/24", gateway: "10.1.0.1", bridge: "guests0" }],
  tracksFlows: false,
};

export const hostB: HostFacts = {
  name: "host-b",
  underlayAddress: "172.16.2.2",
  guestNetworks: [{ subnet: "10.2.0.0/24", gateway: "10.2.0.1", bridge: "guests0" }],
  tracksFlows: false,
};

export const aToB: TunnelSpec = {
  kind: "ipip",
  localAddress: "172.16.1.2",
  remoteAddress: "172.16.2.2",
};
export const bToA: TunnelSpec = {
  ...aToB,
  localAddress: "172.16.2.2",
  remoteAddress: "172.16.1.2",
};

/** Names a tunnel by its remote end, so that expectations can be read. */
export function tunnelOf(spec: TunnelSpec): TunnelInterface {
  return {
    spec,
    interfaceName: `tun-${spec.remoteAddress.split(".")[2]}`,
    datapath: "kernel",
    mtu: 1480,
    nextHop: spec.kind === "vxlan" ? spec.remoteAddress : null,
    nextHopMac: spec.kind === "vxlan" ? "52:54:00:00:00:ff" : null,
  };
}

export function definitionOf(name: string, lastOctet: number): GuestDefinition {
  return parseGuestDefinition(
    `
    name = "${name}"
    memory_mib = 128
    kernel = "/k"
    [[nics]]
    mac = "52:54:00:00:00:${lastOctet.toString(16).padStart(2, "0")}"
    addresses = ["10.1.0.${lastOctet}/24"]
    gateway = "10.1.0.1"
    `,
    "test",
  );
}

/** A guest whose home is host-a and of which nothing else is known. */
export function recordOf(name: string, lastOctet: number): GuestRecord {
  return {
    guest: name,
    definition: definitionOf(name, lastOctet),
    epoch: 1,
    home: { host: "host-a", underlayAddress: "172.16.1.2", gatewayMac: "52:54:00:00:01:01" },
    hosting: null,
    redirect: null,
    outgoing: null,
    migration: null,
  };
}

/** `hosting` of a guest that runs at its home. */
export const runningAtHome = {
  stage: "running",
  tableIndex: 0,
  homeTunnel: null,
  sourceTunnel: null,
} as const;

/** A folder that goes away with the test. */
export function temporaryFolder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "sojourn-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** The record of a promise, as its caller gives it to the journal. */
export const promise = {
  step: "promise",
  migration: "m1",
  guest: "web1",
  epoch: 3,
  role: "source",
} as const;
