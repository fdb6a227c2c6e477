import { createClient, type SojournClient } from "../../client/index.ts";
import { preconditionError, SojournError } from "../../platform/errors.ts";
import type { PeerCaller } from "../../platform/procedures.ts";
import { type DaemonConfig, loadConfig, socketPath } from "../config.ts";
import { createPeerClient } from "../peer-client.ts";
import { baseProcedures } from "../procedures.ts";
import type { DoctorCheck } from "../services.ts";
import { storageProcedures } from "../storage/procedures.ts";
import { attempt, fail, ok, onHost, skipped, type Topic, warn } from "./check.ts";
import { validDefinitions } from "./files/guests.ts";
import { examineBareMachine, examineMachine } from "./machine.ts";
import { checkGuestsThere } from "./pair/guests.ts";
import {
  checkOffset,
  checkPair,
  checkThere,
  greet,
  type PeerFacts,
  peerTopic,
  runGuests,
} from "./pair/peer.ts";
import { checkPortsHere, checkPortsThere } from "./pair/ports.ts";
import { doctorProcedures } from "./pair/procedures.ts";
import { checkStorageThere } from "./pair/storage.ts";

const configuration: Topic = {
  id: "configuration",
  why: "Without a configuration that is right the daemon does not start.",
};

/** What `doctor` has found. */
export interface Examination {
  /** This host's name; null where the configuration does not tell it. */
  host: string | null;
  checks: DoctorCheck[];
}

/**
 * Everything that can be checked of this host, whether its daemon runs or not, and of its peers: all of them briefly,
 * or one of them thoroughly.
 * @throws SojournError `SOJ_HOST_UNKNOWN` when `peer` is not configured.
 */
export async function examineHost(configPath: string, peer?: string): Promise<Examination> {
  let config: DaemonConfig | null = null;
  const configChecks = await attempt(configuration, async () => {
    config = await loadConfig(configPath);
    return ok(configuration, configPath);
  });
  if (config === null) {
    return { host: null, checks: [...configChecks, ...(await examineBareMachine())] };
  }
  return examineConfigured(config, configChecks, peer);
}

async function examineConfigured(
  config: DaemonConfig,
  configChecks: readonly DoctorCheck[],
  peer: string | undefined,
): Promise<Examination> {
  const host = config.host.name;
  refuseUnknown(config, peer);
  const client = createClient({ socketPath: socketPath(config) });
  const daemon = await findDaemon(client);
  const own = [
    ...configChecks,
    ...(await examineMachine(config, daemon.pid)),
    daemon.check,
    ...(daemon.pid === null ? [] : await client.doctor()),
  ];
  const names = peer === undefined ? [...config.peers.keys()] : [peer];
  const thorough = peer !== undefined;
  const pairs = await Promise.all(names.map((name) => examinePeer(config, name, thorough, daemon)));
  return { host, checks: onHost(host, [...own, ...pairs.flat()]) };
}

interface Daemon {
  pid: number | null;
  check: DoctorCheck;
  client: SojournClient;
}

async function findDaemon(client: SojournClient): Promise<Daemon> {
  const topic: Topic = {
    id: "daemon",
    why: "Guests of this host are started, moved and thawed by its daemon.",
  };
  try {
    const { pid } = await client.health();
    return { pid, client, check: ok(topic, `runs (pid ${pid})`) };
  } catch (error) {
    if (!(error instanceof SojournError)) throw error;
    const remedy = { hint: error.hint, mend: "systemctl start sojourn" };
    return { pid: null, client, check: warn(topic, error.message, remedy) };
  }
}

function refuseUnknown(config: DaemonConfig, peer: string | undefined): void {
  if (peer === undefined || config.peers.has(peer)) return;
  throw preconditionError("SOJ_HOST_UNKNOWN", `${peer} is not a peer of ${config.host.name}`, {
    httpStatus: 404,
    hint: `configured are: ${[...config.peers.keys()].join(", ") || "none"}`,
  });
}

const procedures = { ...baseProcedures, ...doctorProcedures, ...storageProcedures };

async function examinePeer(
  config: DaemonConfig,
  name: string,
  thorough: boolean,
  daemon: Daemon,
): Promise<DoctorCheck[]> {
  const address = config.peers.get(name);
  if (address === undefined) return [];
  return attempt(peerTopic(name), async () => {
    using peer = await createPeerClient({ peer: name, address, tls: config.peerApi, procedures });
    const greeting = await greet(config, peer).catch((error: unknown) => {
      if (error instanceof SojournError) return error;
      throw error;
    });
    if (greeting instanceof SojournError) return [unanswered(name, greeting)];
    const { facts, check } = greeting;
    const clock = await checkOffset(peer);
    if (!thorough) return [check, ...clock];
    return [
      check,
      ...clock,
      ...(await checkPair(config, peer, facts)),
      ...(runGuests(config, facts) ? await checkMoves(config, peer, facts) : []),
      ...(await examineTunnels(name, daemon)),
      ...(await checkThere(peer)),
    ];
  });
}

/** What only guests that move between the two need. */
async function checkMoves(
  config: DaemonConfig,
  peer: PeerCaller<typeof procedures>,
  facts: PeerFacts,
): Promise<DoctorCheck[]> {
  const guests = validDefinitions(config);
  return [
    await checkPortsThere(peer, facts.streamAddress),
    await checkPortsHere(peer, config),
    ...(await checkGuestsThere(peer, guests)),
    ...(await checkStorageThere(config.host.name, peer, guests)),
  ];
}

function unanswered(peer: string, error: SojournError): DoctorCheck {
  const refused = error.code === "SOJ_PEER_REFUSED";
  return fail(peerTopic(peer), error.message, {
    hint: error.hint,
    ...(refused ? {} : { mend: `systemctl start sojourn  # on ${peer}` }),
  });
}

/** Tunnels are made by the daemon alone, which knows when nobody's guest is moving. */
async function examineTunnels(peer: string, daemon: Daemon): Promise<DoctorCheck[]> {
  const topic: Topic = {
    ...{ id: "peer-tunnels", subject: peer },
    why: "A guest's packets travel in a tunnel, which firewalls often do not know.",
  };
  if (daemon.pid === null)
    return [skipped(topic, "this host's daemon, which makes tunnels, does not run")];
  return attempt(topic, () => daemon.client.examinePeer(peer));
}
