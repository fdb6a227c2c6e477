/**
 * Small program: waits until the echo service (RFC 862) of a guest answers.
 * usage: echo-check ADDRESS PORT TIMEOUT_MS; exit code 0 when it did, 1 when it did not in time.
 */
import { connect } from "node:net";
import { delay, monotonicMs } from "../platform/clock.ts";

const [address = "", port = "", timeoutMs = ""] = process.argv.slice(2);
const deadline = monotonicMs() + Number(timeoutMs);
while (!(await echoes(address, Number(port)))) {
  if (monotonicMs() > deadline) process.exit(1);
  await delay(50);
}

function echoes(host: string, tcpPort: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: tcpPort });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    // Below the kernel's first SYN retransmission, so that a booting guest is noticed early.
    socket.setTimeout(800, () => finish(false));
    socket.on("error", () => finish(false));
    socket.on("data", () => finish(true));
    socket.on("close", () => finish(false));
    socket.on("connect", () => socket.write("sojourn\n"));
  });
}
