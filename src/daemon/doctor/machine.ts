import { join } from "node:path";
import type { HostRole } from "../../migrator/host-role.ts";
import { createTunnels } from "../../tunnels/tunnels.ts";
import type { DaemonConfig, GuestNetwork } from "../config.ts";
import type { DoctorCheck } from "../services.ts";
import { attempt, onHost, type Topic } from "./check.ts";
import { checkApiAccess } from "./files/api-access.ts";
import { certificateTopic, checkCertificate } from "./files/certificate.ts";
import { checkGates } from "./files/gates.ts";
import { checkGuests } from "./files/guests.ts";
import { checkHistory, checkJournal, checkStateFolder } from "./files/state.ts";
import { checkFirewall, readFirewall, readStreamPorts } from "./firewall/checks.ts";
import { checkFlowSpace } from "./host/flow-space.ts";
import { type Interface, readInterfaces } from "./host/interfaces.ts";
import { checkNamespaces, checkNftables, checkTunnels } from "./host/kernel.ts";
import { checkLanGateway } from "./host/lan.ts";
import { checkLibvirt } from "./host/libvirt.ts";
import {
  checkClock,
  checkFileLimit,
  checkFrameSender,
  checkPrivileges,
  checkTools,
} from "./host/machine.ts";
import {
  arrivalInterface,
  checkArrivals,
  checkDuplicateGateway,
  checkGuestNetworks,
  checkUnderlay,
  underlayInterface,
} from "./host/networks.ts";
import { checkQemu, qemuTopic } from "./host/qemu.ts";
import { checkService } from "./host/service.ts";
import { checkSwitches } from "./host/switches.ts";
import { checkLeftovers, readGuestRecords } from "./leftovers.ts";

/**
 * All that one host can check of itself.
 * @param daemonPid of the daemon that runs here; null for none.
 */
export async function examineMachine(
  config: DaemonConfig,
  daemonPid: number | null,
): Promise<DoctorCheck[]> {
  const interfaces = await readInterfaces().catch(() => []);
  // Before all others, which would lengthen the times that it measures.
  const state = await examineState(config);
  const groups = await Promise.all([
    examineBareMachine(config.host.role),
    examineNetwork(config, interfaces),
    examineFiles(config),
    runsGuests(config) ? checkLibvirt(config) : [],
    attempt(about("service"), checkService),
    attempt(about("file-limit"), () => checkFileLimit(daemonPid)),
    attempt(about("leftovers"), async () =>
      checkLeftovers(interfaces, await readGuestRecords(config.paths.state)),
    ),
  ]);
  return onHost(config.host.name, [...state, ...groups.flat()]);
}

/** What needs no configuration. */
export async function examineBareMachine(role: HostRole = "host"): Promise<DoctorCheck[]> {
  const groups = await Promise.all([
    attempt(about("root"), checkPrivileges),
    checkTools(),
    role === "anchor" ? [] : [checkFrameSender()],
    attempt(about("tunnels"), checkTunnels),
    attempt(about("kernel-nftables"), checkNftables),
    attempt(about("kernel-namespaces"), checkNamespaces),
    role === "anchor" ? [] : attempt(qemuTopic, checkQemu),
    attempt(about("clock-synchronised"), checkClock),
  ]);
  return groups.flat();
}

async function examineNetwork(
  config: DaemonConfig,
  interfaces: readonly Interface[],
): Promise<DoctorCheck[]> {
  const underlay = underlayInterface(config, interfaces)?.name ?? null;
  const names = new Set(interfaces.map(({ name }) => name));
  const bridges = config.guestNetworks.map(({ bridge }) => bridge);
  const devices = { underlay, bridges: bridges.filter((bridge) => names.has(bridge)) };
  const groups = await Promise.all([
    attempt(about("underlay"), async () => checkUnderlay(config, interfaces)),
    attempt(about("migration-address"), async () => checkArrivals(config, interfaces)),
    attempt(about("bridge"), () => checkGuestNetworks(config.guestNetworks, interfaces)),
    attempt(about("forwarding"), () => checkSwitches(devices)),
    attempt(about("flow-space"), checkFlowSpace),
    attempt(about("firewall"), () => examineFirewall(config, interfaces), "skipped"),
    isAnchorOnLan(config) ? [checkFrameSender()] : [],
    ...config.guestNetworks.map((network) => examineGateway(network, interfaces)),
  ]);
  return groups.flat();
}

/** A host has been asked for it with what needs no configuration. */
function isAnchorOnLan({ host, guestNetworks }: DaemonConfig): boolean {
  return host.role === "anchor" && guestNetworks.some(({ port }) => port !== undefined);
}

function examineGateway(
  network: GuestNetwork,
  interfaces: readonly Interface[],
): Promise<DoctorCheck[]> {
  const { port } = network;
  return port === undefined
    ? attempt(about("gateway-duplicate"), () => checkDuplicateGateway(network, interfaces))
    : attempt(about("gateway-answers"), () => checkLanGateway({ ...network, port }, interfaces));
}

async function examineFirewall(
  config: DaemonConfig,
  interfaces: readonly Interface[],
): Promise<DoctorCheck[]> {
  const underlay = underlayInterface(config, interfaces)?.name ?? null;
  const arrivals = arrivalInterface(config, interfaces)?.name ?? null;
  const tables = await readFirewall();
  const ipip = await createTunnels()
    .choose("ipip")
    .catch(() => null);
  return checkFirewall(tables, {
    ...{ config, underlay, arrivals, ipipDatapath: ipip?.datapath ?? null },
    streamPorts: await readStreamPorts(config),
  });
}

async function examineFiles(config: DaemonConfig): Promise<DoctorCheck[]> {
  const { state } = config.paths;
  const groups = await Promise.all([
    attempt(certificateTopic, () => checkCertificate(config)),
    attempt(about("api-access"), () => checkApiAccess(config)),
    attempt(about("journal"), async () => checkJournal(join(state, "journal"))),
    attempt(about("history"), async () => checkHistory(state), "skipped"),
    runsGuests(config) ? attempt(about("guest"), () => checkGuests(config)) : [],
    attempt(about("gate"), () => checkGates(config)),
  ]);
  return groups.flat();
}

function runsGuests({ host }: DaemonConfig): boolean {
  return host.role !== "anchor";
}

function examineState({ paths: { state } }: DaemonConfig): Promise<DoctorCheck[]> {
  return attempt(about("state-folder"), async () => checkStateFolder(state, await isMoving(state)));
}

async function isMoving(stateFolder: string): Promise<boolean> {
  const records = await readGuestRecords(stateFolder);
  return records === null || records.some(({ migration }) => migration !== null);
}

/** For what is thrown instead of a verdict. */
function about(id: string): Topic {
  return { id, why: "This could not be checked, and may be amiss." };
}
