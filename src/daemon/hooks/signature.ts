import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { usageError } from "../../platform/errors.ts";

/** How far a receiver's clock and ours may be apart, and how old a message may be. */
const toleranceMs = 300_000;

/** Fewer bytes can be guessed, more are a mistake. */
const shortestKeyBytes = 16;
const longestKeyBytes = 256;

/** What a signed message carries. */
export interface SignatureHeaders {
  "webhook-id": string;
  /** Seconds since 1970. */
  "webhook-timestamp": string;
  /** `v1,` and the base64 of HMAC-SHA256(key, id.timestamp.body); several are separated by spaces. */
  "webhook-signature": string;
}

/**
 * Signs a message as the Standard Webhooks specification (symmetric signatures, version 1) says.
 * @param wallClockMs of this attempt, milliseconds since 1970.
 */
export function signatureHeaders(
  key: Uint8Array,
  id: string,
  wallClockMs: number,
  body: string,
): SignatureHeaders {
  const timestamp = String(Math.floor(wallClockMs / 1000));
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${digest(key, id, timestamp, body).toString("base64")}`,
  };
}

/**
 * Whether a message is from someone who has the key, and recent. What a receiver in this language needs.
 * @param nowMs the receiver's wall clock, milliseconds since 1970.
 */
export function isSignedBy(
  key: Uint8Array,
  headers: Partial<SignatureHeaders>,
  body: string,
  nowMs: number,
): boolean {
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"];
  if (id === undefined || timestamp === undefined || !/^[0-9]{1,12}$/.test(timestamp)) return false;
  if (Math.abs(Number(timestamp) * 1000 - nowMs) > toleranceMs) return false;
  const expected = digest(key, id, timestamp, body);
  return (headers["webhook-signature"] ?? "").split(" ").some((signature) => {
    const given = Buffer.from(signature.startsWith("v1,") ? signature.slice(3) : "", "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

/** A new secret of 256 bits in the specification's form. */
export function newSecret(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}

/**
 * The key that a secret's text stands for: `whsec_` and base64, or any other text for its bytes. White space around
 * it is ignored.
 * @throws SojournError `SOJ_HOOK_SECRET_INVALID`; the message does not repeat the secret.
 */
export function keyOfSecret(text: string): Buffer {
  const secret = text.trim();
  const encoded = secret.startsWith("whsec_") ? secret.slice("whsec_".length) : null;
  if (encoded !== null && !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) {
    throw invalid("what follows whsec_ is not base64");
  }
  const key = encoded === null ? Buffer.from(secret) : Buffer.from(encoded, "base64");
  if (key.length < shortestKeyBytes) throw invalid(`shorter than ${shortestKeyBytes} bytes`);
  if (key.length > longestKeyBytes) throw invalid(`longer than ${longestKeyBytes} bytes`);
  return key;
}

function digest(key: Uint8Array, id: string, timestamp: string, body: string): Buffer {
  return createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
}

function invalid(reason: string) {
  return usageError(
    `the secret is unusable: ${reason}`,
    'make one: echo "whsec_$(openssl rand -base64 32)"',
    "SOJ_HOOK_SECRET_INVALID",
  );
}
