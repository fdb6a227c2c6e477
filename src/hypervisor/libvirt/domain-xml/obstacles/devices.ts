import type { CharacterDevice } from "../facts/character-device.ts";
import type { Graphics } from "../facts/graphics.ts";
import type { DomainFacts } from "../read-domain.ts";
import { type Obstacle, obstacle } from "./obstacle.ts";

/** What of a domain's other devices ends at its host. Paths are not judged: the facts list them all. */
export function deviceObstacles(facts: DomainFacts): Obstacle[] {
  return [
    ...facts.hostDevices.map(({ type, address, teaming }) =>
      obstacle(
        ["refused", "host-device"],
        `host device ${address ?? type}`,
        "belongs to this host (device assignment)",
        { type, address, teaming },
      ),
    ),
    ...facts.filesystems.map(({ driver, source, target }) =>
      obstacle(
        ["refused", "filesystem"],
        `file system ${target ?? ""}`,
        driver === "virtiofs"
          ? "is a folder of the host (virtiofs), whose open files do not migrate"
          : "is a folder of the host (9p), with which QEMU does not migrate",
        { driver, source },
      ),
    ),
    ...facts.inputs.map(({ type, path }) =>
      obstacle(["refused", "input-of-host"], "an input device", "is the host's", { type, path }),
    ),
    ...(facts.cryptoDevices > 0
      ? [obstacle(["refused", "crypto-device"], "the crypto device", "is not migrated by QEMU")]
      : []),
    ...facts.vsocks.map(({ contextId }) =>
      obstacle(
        ["depends", "vsock"],
        "the vsock",
        "loses its connections, and the destination must have its context id free",
        { context_id: contextId },
      ),
    ),
    ...facts.characterDevices.filter(isOnItsOwn).flatMap(characterObstacles),
    ...facts.graphics.flatMap(graphicsObstacles),
    ...(facts.hasGraphicsAcceleration
      ? [
          obstacle(
            ["refused", "graphics-acceleration"],
            "the video device",
            "draws with the host's graphics processor, whose state does not migrate",
          ),
        ]
      : []),
  ];
}

/** libvirt shows a guest's first serial port a second time, as its console. */
function isOnItsOwn(device: CharacterDevice, _: number, all: readonly CharacterDevice[]): boolean {
  if (device.kind !== "console") return true;
  const { type, path, address } = device;
  return !all.some(
    (other) =>
      other.kind === "serial" &&
      other.type === type &&
      other.path === path &&
      other.address === address,
  );
}

function characterObstacles(device: CharacterDevice): Obstacle[] {
  const { kind, type, path, mode, address, target } = device;
  const subject = `${kind}${target === null ? "" : ` ${target}`}`;
  if (kind === "redirdev") {
    const reason = "passes on USB devices of whoever looks at the guest; they are lost in a move";
    return [obstacle(["noted", "usb-redirection"], subject, reason, { type })];
  }
  if (kind === "smartcard" && type !== "spicevmc" && type !== "tcp") {
    return [obstacle(["refused", "host-device"], subject, "is the host's card", { type, path })];
  }
  if (type === "dev") {
    const reason = "is a device of the host: the guest gets the destination's of that name";
    return [obstacle(["depends", "character-device"], subject, reason, { type, path })];
  }
  if (type === "tcp" || type === "udp") {
    const reason = "is a connection of the host's: it ends, and is made anew at the destination";
    return [obstacle(["depends", "character-device"], subject, reason, { type, mode, address })];
  }
  return [];
}

function graphicsObstacles({ type, address, network, ports, hasGl }: Graphics): Obstacle[] {
  const subject = `${type} screen`;
  const found: Obstacle[] = [];
  if (hasGl) {
    const reason = "draws with the host's graphics processor, whose state does not migrate";
    found.push(obstacle(["refused", "graphics-acceleration"], subject, reason));
  }
  const isAnywhere = address === null || /^(0\.0\.0\.0|::|127\.\d+\.\d+\.\d+|::1)$/.test(address);
  if (!isAnywhere || network !== null) {
    const reason = "listens at an address that the destination must have";
    found.push(obstacle(["depends", "graphics-address"], subject, reason, { address, network }));
  }
  for (const port of ports) {
    const reason = "listens at a port of its own, which must be free at the destination";
    found.push(obstacle(["depends", "graphics-address"], subject, reason, { port: String(port) }));
  }
  if (type === "vnc" || type === "spice" || type === "rdp") {
    const reason = "loses who looks at it; the destination has it anew";
    found.push(obstacle(["noted", "graphics"], subject, reason));
  }
  return found;
}
