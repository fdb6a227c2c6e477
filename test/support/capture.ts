import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { findTool } from "../../src/platform/command.ts";
import type { Namespace } from "./namespaces.ts";

/**
 * Captures on a device of a namespace while `action` runs.
 * @param filter in tcpdump's language, as one text.
 * @returns one line per packet.
 */
export async function packetsWhile(
  namespace: Pick<Namespace, "name">,
  device: string,
  filter: string,
  action: () => Promise<void>,
): Promise<string[]> {
  const child = spawn(
    findTool("ip"),
    [
      ...["netns", "exec", namespace.name, findTool("tcpdump")],
      ...["-n", "-l", "-i", device, "--immediate-mode", filter],
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const packets: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    // An interrupted tcpdump ends with an empty line.
    if (line !== "") packets.push(line);
  });
  const ended = once(child, "close");
  try {
    for await (const line of createInterface({ input: child.stderr })) {
      if (line.includes("listening on")) break;
    }
    await action();
  } finally {
    child.kill("SIGINT");
    await ended;
  }
  return packets;
}
