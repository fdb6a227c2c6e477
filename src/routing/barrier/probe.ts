import { findTool, runCommand } from "../../platform/command.ts";
import { usageError } from "../../platform/errors.ts";
import type { BarrierEnd, RoutingPlane } from "../desired.ts";
import { checkAddress } from "../normalise.ts";

type Options = Parameters<RoutingPlane["probeThroughBarrier"]>[1];

const ipHeaderBytes = 20;
const icmpHeaderBytes = 8;
const intervalS = "0.1";

/**
 * Asks through the barrier until one full-size echo reply with the nonce came back or the time is over.
 * @throws SojournError `SOJ_USAGE` for a size or nonce that ping cannot send; `SOJ_TOOL_MISSING`.
 */
export async function probeThroughBarrier(end: BarrierEnd, options: Options): Promise<boolean> {
  const { packetBytes, nonceHex, timeoutMs, identifier } = options;
  const payloadBytes = packetBytes - ipHeaderBytes - icmpHeaderBytes;
  if (!/^([0-9a-f]{2}){1,16}$/i.test(nonceHex)) throw usageError("the nonce is 1 to 16 hex bytes");
  if (payloadBytes < 16 || packetBytes > 65535) {
    throw usageError(`a probe of ${packetBytes} bytes cannot be sent`);
  }
  const { stdout } = await runCommand(
    "ip",
    [
      ...["netns", "exec", end.namespace, findTool("ping"), "-n", "-M", "do"],
      ...["-s", String(payloadBytes), "-p", nonceHex, "-i", intervalS],
      ...(identifier === undefined ? [] : ["-e", String(identifier)]),
      ...["-c", "1", "-w", String(Math.max(1, Math.ceil(timeoutMs / 1_000)))],
      checkAddress(options.guestAddress),
    ],
    { acceptExitCodes: [1, 2], timeoutMs: timeoutMs + 2_000 },
  );
  return isWholeReply(stdout, packetBytes - ipHeaderBytes);
}

/** Whether ping's output has a reply of `icmpBytes` whose content was as sent. */
export function isWholeReply(output: string, icmpBytes: number): boolean {
  const lines = output.split("\n");
  return lines.some(
    (line, index) =>
      line.startsWith(`${icmpBytes} bytes from `) &&
      !line.includes("truncated") &&
      !line.includes("DIFFERENT") &&
      !/wrong data byte/.test(`${line}${lines[index + 1] ?? ""}`),
  );
}
