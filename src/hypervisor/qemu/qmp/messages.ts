import { qmpProtocolError } from "./errors.ts";

/** What a QMP server may send (QMP specification, section 2). */
export type QmpMessage =
  | { kind: "greeting"; capabilities: readonly string[] }
  | { kind: "return"; id: unknown; value: unknown }
  | { kind: "error"; id: unknown; errorClass: string; description: string }
  | { kind: "event"; name: string; data: Record<string, unknown>; timestampMs: number };

/** @throws SojournError `SOJ_QMP_PROTOCOL` unless the line is one of the messages. */
export function parseMessage(line: string): QmpMessage {
  const message = parseObject(line);
  if (typeof message.event === "string") {
    return {
      kind: "event",
      name: message.event,
      data: isObject(message.data) ? message.data : {},
      timestampMs: timestampMs(message.timestamp),
    };
  }
  if (isObject(message.error)) {
    return {
      kind: "error",
      id: message.id,
      errorClass: text(message.error.class, "GenericError"),
      description: text(message.error.desc, "no description"),
    };
  }
  if ("return" in message) return { kind: "return", id: message.id, value: message.return };
  if (isObject(message.QMP))
    return { kind: "greeting", capabilities: strings(message.QMP.capabilities) };
  throw qmpProtocolError(`a message that is not QMP: ${shown(line)}`);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseObject(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw qmpProtocolError(`a line that is not JSON: ${shown(line)}`, cause);
  }
  if (isObject(value)) return value;
  throw qmpProtocolError(`a line that is not an object: ${shown(line)}`);
}

/** QEMU gives -1 for both when its clock failed. */
function timestampMs(timestamp: unknown): number {
  if (!isObject(timestamp)) return Number.NaN;
  const { seconds, microseconds } = timestamp;
  if (typeof seconds !== "number" || typeof microseconds !== "number") return Number.NaN;
  return seconds < 0 ? Number.NaN : seconds * 1000 + microseconds / 1000;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function text(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value.slice(0, 2000) : otherwise;
}

function shown(line: string): string {
  return JSON.stringify(line.slice(0, 120));
}
