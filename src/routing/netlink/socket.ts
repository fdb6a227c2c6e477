import { getSystemErrorName } from "node:util";
import { createNetlink, type NetlinkSocket, Protocol } from "netlink";
import { startTimer, type Timer } from "../../platform/clock.ts";
import { SojournError } from "../../platform/errors.ts";

/** Message types of linux/rtnetlink.h. */
export const MessageType = {
  newLink: 16,
  getLink: 18,
  setLink: 19,
  newNeighbour: 28,
  getNeighbour: 30,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
  newRule: 32,
  getRule: 34,
} as const;

/** Flags of linux/netlink.h. */
export const MessageFlag = {
  dumpInterrupted: 0x10,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  dump: 0x300,
} as const;

export interface NetlinkMessage {
  type: number;
  data: Buffer;
}

/** What the kernel answered instead of doing it; `errnoName` is e.g. `ESRCH`. */
export class NetlinkError extends SojournError {
  readonly errnoName: string;

  constructor(errnoName: string, request: string) {
    const needsRoot = errnoName === "EPERM" || errnoName === "EACCES";
    super(
      `SOJ_NETLINK_${errnoName}`,
      `the kernel refused ${request}: ${errnoName}`,
      needsRoot ? { hint: "this needs root (CAP_NET_ADMIN)" } : {},
    );
    this.errnoName = errnoName;
  }
}

const errorMessageType = 2;
const interruptedDumpTries = 5;

/**
 * One rtnetlink socket with exactly one request in flight; the rest waits in order. After a time-out or a
 * socket error the socket is replaced, so a late answer cannot be taken for another request's.
 */
export class RouteNetlink implements Disposable {
  #socket: NetlinkSocket | null = null;
  #fail: ((error: Error) => void) | null = null;
  #last: Promise<unknown> = Promise.resolve();
  readonly #timeoutMs: number;

  constructor(options: { timeoutMs?: number } = {}) {
    this.#timeoutMs = options.timeoutMs ?? 2_000;
  }

  /**
   * @param request what is asked, for messages (`route replace 10.1.0.10/32`).
   * @throws NetlinkError the kernel's errno; SojournError `SOJ_NETLINK_TIMEOUT`, `SOJ_NETLINK_BROKEN`.
   */
  request(request: string, type: number, data: Buffer, flags = 0): Promise<NetlinkMessage[]> {
    const result = this.#last.then(() => this.#exchange(request, type, data, flags));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Every object of a kind; asked again when the kernel says that it changed meanwhile. */
  async dump(request: string, type: number, data: Buffer): Promise<Buffer[]> {
    const messages = await this.request(request, type, data, MessageFlag.dump);
    return messages.map((message) => message.data);
  }

  [Symbol.dispose](): void {
    this.#socket?.close();
    this.#socket = null;
  }

  async #exchange(request: string, type: number, data: Buffer, flags: number) {
    for (let tries = 1; ; tries++) {
      const messages = await this.#send(request, type, data, flags);
      const errno = messages.map(errnoIn).find((value) => value !== 0) ?? 0;
      if (errno !== 0) throw new NetlinkError(errnoNameOf(errno), request);
      const interrupted = messages.some((message) => message.flags & MessageFlag.dumpInterrupted);
      if (!interrupted || tries === interruptedDumpTries) {
        return messages.filter((message) => message.type !== errorMessageType);
      }
    }
  }

  async #send(request: string, type: number, data: Buffer, flags: number) {
    const socket = this.#open();
    let timer: Timer | undefined;
    const broken = new Promise<never>((_resolve, reject) => {
      this.#fail = (cause) =>
        reject(
          new SojournError("SOJ_NETLINK_BROKEN", `the netlink socket failed at ${request}`, {
            cause,
            retryable: true,
          }),
        );
      timer = startTimer(() => {
        const text = `no answer from the kernel to ${request} within ${this.#timeoutMs} ms`;
        reject(new SojournError("SOJ_NETLINK_TIMEOUT", text, { retryable: true }));
      }, this.#timeoutMs);
    });
    try {
      const answer = socket.request(type, data, { flags, checkError: false });
      const [messages] = await Promise.race([answer, broken]);
      return messages;
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    } finally {
      timer?.cancel();
      this.#fail = null;
    }
  }

  #open(): NetlinkSocket {
    if (this.#socket !== null) return this.#socket;
    const socket = createNetlink(Protocol.ROUTE);
    socket.on("error", (error: Error) => this.#fail?.(error));
    this.#socket = socket;
    return socket;
  }
}

function errnoIn(message: { type: number; data: Buffer }): number {
  if (message.type !== errorMessageType || message.data.length < 4) return 0;
  return message.data.readInt32LE(0);
}

function errnoNameOf(errno: number): string {
  try {
    return getSystemErrorName(errno);
  } catch {
    return `ERRNO_${-errno}`;
  }
}
