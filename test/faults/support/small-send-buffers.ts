import type { FaultLab } from "./fault-lab.ts";

const parameter = "net.ipv4.tcp_wmem";

/**
 * Sockets that a host opens from now on keep at most 16 KiB that nobody has acknowledged (tcp(7), tcp_wmem), so that a
 * stream whose link is cut stands at once. Disposing puts back what was.
 */
export async function smallSendBuffers(fault: FaultLab, node: string): Promise<AsyncDisposable> {
  const before = await fault.run(node, ["sysctl", "-n", parameter]);
  const set = (value: string) => fault.run(node, ["sysctl", "-qw", `${parameter}=${value}`]);
  await set("4096 16384 16384");
  return { [Symbol.asyncDispose]: async () => void (await set(before.trim())) };
}
