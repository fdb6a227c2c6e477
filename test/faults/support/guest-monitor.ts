import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { findHolder } from "../../../src/lab/holder.ts";
import type { FaultLab } from "./fault-lab.ts";
import { guest } from "./fault-lab.ts";

/**
 * Asks the monitor of the guest's process on a host. Only while that host's daemon is away: a monitor serves one
 * client. Returns the commands' answers in order.
 */
export async function askMonitor(
  fault: FaultLab,
  host: string,
  commands: readonly string[],
): Promise<Record<string, unknown>[]> {
  const socket = connect(monitorPath(fault, host));
  const lines = createInterface({ input: socket });
  const answers: Record<string, unknown>[] = [];
  const ended = once(lines, "close");
  lines.on("line", (line) => {
    const message = JSON.parse(line) as Record<string, unknown>;
    if ("error" in message) socket.destroy(new Error(line));
    if ("return" in message) answers.push(message.return as Record<string, unknown>);
    if (answers.length === commands.length + 1) socket.end();
  });
  for (const execute of ["qmp_capabilities", ...commands]) {
    socket.write(`${JSON.stringify({ execute })}\n`);
  }
  await ended;
  return answers.slice(1);
}

/** Holds the monitor, silent, until it is disposed of. Only while that host's daemon is away. */
export async function holdMonitor(fault: FaultLab, host: string): Promise<Disposable> {
  const socket = connect(monitorPath(fault, host));
  await once(socket, "data");
  fault.injected += 1;
  return { [Symbol.dispose]: () => socket.destroy() };
}

function monitorPath(fault: FaultLab, host: string): string {
  const pid = findHolder(fault.lab.name, host)?.pid;
  const folder = `/proc/${pid}/root/run/sojourn/guests/${guest}`;
  for (const instance of readdirSync(folder)) {
    if (readdirSync(`${folder}/${instance}`).includes("qmp.sock")) {
      return `${folder}/${instance}/qmp.sock`;
    }
  }
  throw new Error(`${host}: ${guest} has no monitor`);
}
