import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { createNetlink, type NetlinkSocket, Protocol } from "netlink";
import { readCounter } from "./kernel-counters.ts";
import {
  readTcpInfo,
  socketDiagnosisMessage,
  type TcpInfo,
  writeTcpInfoRequest,
} from "./tcp-info.ts";

const answerTimeoutMs = 1000;

/**
 * Asks the kernel for a session's figures over one netlink socket (sock_diag(7)), one question at a time: a
 * second one while the first is open gets null. A question takes some 50 µs and needs no privilege.
 */
export class TcpWatch implements Disposable {
  readonly #request: Buffer;
  #netlink: NetlinkSocket | null;
  #isAsking = false;

  /** The socket has to be connected. */
  constructor(socket: Socket) {
    const { localAddress = "0.0.0.0", localPort = 0, remoteAddress = "0.0.0.0" } = socket;
    const remotePort = socket.remotePort ?? 0;
    this.#request = writeTcpInfoRequest({ localAddress, localPort, remoteAddress, remotePort });
    this.#netlink = open();
  }

  /** The figures now; null when the kernel does not tell, or no longer knows the session. */
  async read(): Promise<TcpInfo | null> {
    const netlink = this.#netlink;
    if (netlink === null || this.#isAsking) return null;
    this.#isAsking = true;
    try {
      const options = { timeout: answerTimeoutMs, checkError: true };
      const [answers] = await netlink.request(socketDiagnosisMessage, this.#request, options);
      const info = answers[0] === undefined ? null : readTcpInfo(answers[0].data);
      return info === null || info.rto !== null ? info : { ...info, rto: timeoutsHere() };
    } catch {
      return null;
    } finally {
      this.#isAsking = false;
    }
  }

  [Symbol.dispose](): void {
    this.#netlink?.close();
    this.#netlink = null;
  }
}

function open(): NetlinkSocket | null {
  try {
    const netlink = createNetlink(Protocol.SOCK_DIAG);
    netlink.on("error", () => {});
    return netlink;
  } catch {
    return null;
  }
}

/** All sessions of this namespace: never less than this one's, which an older kernel does not tell apart. */
function timeoutsHere(): number | null {
  try {
    return readCounter(readFileSync("/proc/self/net/netstat", "latin1"), "TcpExt", "TCPTimeouts");
  } catch {
    return null;
  }
}
