import { once } from "node:events";
import { connect } from "node:net";
import { findHolder } from "../../../src/lab/holder.ts";
import type { FaultLab } from "./fault-lab.ts";

const socketPath = "/run/operator.sock";

/** Arguments of a guest that an operator can speak to beside the daemon: a second serial port leads to a monitor. */
export const operatorArguments = ["-serial", `mon:unix:${socketPath},server=on,wait=off`];

/** Ctrl-A c, from the port to its monitor: qemu-system-x86_64(1), "Keys in the character backend multiplexer". */
const toMonitor = "\x01c";

/** What the guest's process on a host answers to commands for people. */
export async function operatorSays(
  fault: FaultLab,
  host: string,
  commands: readonly string[],
): Promise<string> {
  const pid = findHolder(fault.lab.name, host)?.pid;
  const socket = connect(`/proc/${pid}/root${socketPath}`);
  let text = "";
  const heard = Promise.withResolvers<void>();
  socket.on("data", (data) => {
    text += data;
    if (text.split("(qemu)").length > commands.length + 1) heard.resolve();
  });
  socket.on("error", heard.reject);
  socket.on("close", () => heard.reject(new Error(`the monitor closed: ${text}`)));
  await once(socket, "connect");
  socket.write(toMonitor);
  for (const command of commands) socket.write(`${command}\n`);
  try {
    await heard.promise;
  } finally {
    socket.removeAllListeners("close");
    // The next one finds the serial port again.
    socket.end(toMonitor);
  }
  return text;
}
