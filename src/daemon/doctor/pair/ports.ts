import { randomBytes } from "node:crypto";
import { asSojournError } from "../../../platform/errors.ts";
import type { DaemonConfig } from "../../config.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, skipped, type Topic } from "../check.ts";
import { readStreamPorts } from "../firewall/checks.ts";
import type { DoctorPeer } from "./path.ts";
import { openPortProbe, reachPort } from "./port-probe.ts";

export const places = ["first", "middle", "last"] as const;
export type Place = (typeof places)[number];

const spare = 3;

/** The port of the range that a place means; some below the last, so that one of the next is free. */
export function portAt(place: Place, [first, last]: readonly [number, number]): number {
  if (place === "first") return first;
  if (place === "middle") return Math.floor((first + last) / 2);
  return Math.max(first, last - spare);
}

const why =
  "The guest's state goes straight from one QEMU to the other, to a port of its own there.";

/** Opens ports at the peer, as QEMU would, and connects to them from here. */
export async function checkPortsThere(peer: DoctorPeer, address: string): Promise<DoctorCheck> {
  const topic: Topic = { id: "peer-stream-ports", subject: peer.peer, why };
  return verdict(topic, `${address} from here`, async (place) => {
    const nonce = randomBytes(16).toString("hex");
    const { port } = await peer.call("doctor-listen", { place, nonce });
    return { port, reason: await reachPort(address, port, nonce) };
  });
}

/** Opens ports here, and has the peer connect to them: the way of guests that come home. */
export async function checkPortsHere(
  peer: DoctorPeer,
  config: Pick<DaemonConfig, "host" | "migration">,
): Promise<DoctorCheck> {
  const address = config.migration.address ?? config.host.underlayAddress;
  const topic: Topic = { id: "peer-stream-ports-back", subject: peer.peer, why };
  const range = await readStreamPorts(config);
  return verdict(topic, `${address} from ${peer.peer}`, async (place) => {
    const nonce = randomBytes(16).toString("hex");
    await using open = await openPortProbe(address, portAt(place, range), nonce);
    const answer = await peer.call("doctor-connect", { port: open.port, nonce });
    return { port: open.port, reason: answer.reached ? null : (answer.reason ?? "not reached") };
  });
}

/** With these nothing is known about the ports. */
const notChecked = new Set<string>([
  "SOJ_UNKNOWN_PROCEDURE",
  "SOJ_DOCTOR_PORT",
  "SOJ_DOCTOR_ADDRESS",
]);

async function verdict(
  topic: Topic,
  where: string,
  probe: (place: Place) => Promise<{ port: number; reason: string | null }>,
): Promise<DoctorCheck> {
  const closed: string[] = [];
  const ports: number[] = [];
  for (const place of places) {
    try {
      const { port, reason } = await probe(place);
      ports.push(port);
      if (reason !== null) closed.push(`${port} (${reason})`);
    } catch (thrown) {
      const { code, message, hint } = asSojournError(thrown);
      if (notChecked.has(code)) return skipped(topic, message, hint);
      return fail(topic, message, { hint });
    }
  }
  if (closed.length === 0) return ok(topic, `${ports.join(", ")} of ${where} are open`);
  return fail(topic, `${closed.join(", ")} of ${where} cannot be reached`, {
    hint: "let TCP to the ports on which guests arrive pass between the hosts' addresses for them, in their firewalls (see firewall-stream) and on the way; `ports` under [migration] makes them fewer",
  });
}
