import { createHash } from "node:crypto";
import { isIPv4 } from "node:net";
import { usageError } from "./errors.ts";

/** Form of every name a user chooses (guests, hosts, lab nodes). */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** @throws SojournError `SOJ_BAD_NAME` unless `name` has the allowed form. */
export function checkName(kind: string, name: string): string {
  if (namePattern.test(name)) return name;
  throw usageError(
    `${JSON.stringify(name.slice(0, 80))} is not a ${kind} name`,
    "letters, digits, '.', '_' and '-', at most 63, the first a letter or digit",
    "SOJ_BAD_NAME",
  );
}

/** @throws SojournError `SOJ_BAD_ADDRESS` unless `text` is a dotted IPv4 address. */
export function checkIPv4(kind: string, text: string): string {
  if (isIPv4(text)) return text;
  throw usageError(
    `${JSON.stringify(text.slice(0, 80))} is not an IPv4 address (${kind})`,
    undefined,
    "SOJ_BAD_ADDRESS",
  );
}

/**
 * An interface name of at most 15 bytes (IFNAMSIZ − 1) that starts with our mark `sj`, tells the kind
 * and is the same on every run for the same identity.
 */
export function interfaceName(kind: string, identity: string): string {
  const digest = createHash("sha256").update(identity).digest("hex").slice(0, 15);
  return `sj${kind}${digest}`.slice(0, 15).slice(0, 2 + kind.length + 9);
}

/** True when the interface name carries our mark. */
export function isOurInterface(name: string): boolean {
  return /^sj[a-z][0-9a-f]{9}$/.test(name);
}

/** A locally administered unicast MAC address derived from an identity. */
export function derivedMac(identity: string): string {
  const digest = createHash("sha256").update(identity).digest();
  const octets = [0x52, 0x54, 0x00, digest[0], digest[1], digest[2]] as number[];
  return octets.map((octet) => octet.toString(16).padStart(2, "0")).join(":");
}

/** A UUID derived from an identity (RFC 9562, version 8). */
export function derivedUuid(identity: string): string {
  const bytes = createHash("sha256").update(identity).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return uuidText(bytes);
}

/** 16 bytes as people write a UUID (RFC 9562, 4). */
export function uuidText(bytes: Buffer): string {
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
