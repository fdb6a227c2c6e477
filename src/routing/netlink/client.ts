import { type Protocol, RawNetlinkSocket } from "netlink";
import { startTimer, type Timer } from "../../platform/clock.ts";
import { broken, NetlinkError, timedOut } from "./failures.ts";
import {
  controlType,
  decodeMessages,
  encodeMessage,
  errnoNameIn,
  MessageFlag,
  type NetlinkMessage,
} from "./messages.ts";

/** What the kernel said to one message of several. */
export interface BatchAnswer {
  /** Null when it was done. */
  errnoName: string | null;
  data: Buffer[];
}

export interface NetlinkOptions {
  /** The kernel says nothing for so long. */
  timeoutMs?: number;
  /** Of the socket; the kernel gives at most twice net.core.rmem_max. Its default is net.core.rmem_default. */
  receiveBufferBytes?: number;
}

const interruptedDumpTries = 5;

/**
 * One netlink socket with exactly one exchange in flight; the rest waits in order. After a time-out or a socket error
 * the socket is replaced, so a late answer cannot be taken for another request's.
 */
export class NetlinkClient implements Disposable {
  #socket: RawNetlinkSocket | null = null;
  #sequence = 0;
  #last: Promise<unknown> = Promise.resolve();
  readonly #protocol: Protocol;
  readonly #timeoutMs: number;
  readonly #receiveBufferBytes: number | null;

  constructor(protocol: Protocol, options: NetlinkOptions = {}) {
    this.#protocol = protocol;
    this.#timeoutMs = options.timeoutMs ?? 2_000;
    this.#receiveBufferBytes = options.receiveBufferBytes ?? null;
  }

  /**
   * @param request what is asked, for messages (`route replace 10.1.0.10/32`).
   * @throws NetlinkError the kernel's errno; SojournError `SOJ_NETLINK_TIMEOUT`, `SOJ_NETLINK_BROKEN`.
   */
  async request(request: string, type: number, data: Buffer, flags = 0): Promise<NetlinkMessage[]> {
    let messages: NetlinkMessage[] = [];
    await this.#asked(request, type, data, flags, () => {
      messages = [];
      return (message) => messages.push(message);
    });
    return messages;
  }

  /** Every object of a kind; asked again when the kernel says that it changed meanwhile. */
  async dump(request: string, type: number, data: Buffer): Promise<Buffer[]> {
    const messages = await this.request(request, type, data, MessageFlag.dump);
    return messages.map((message) => message.data);
  }

  /**
   * As `dump`, for lists that may be very long: each object is given to a visitor as it comes, in turns of the event
   * loop of some hundred objects. What a visitor throws ends the dump.
   * @param begin makes a visitor: again for each time that the list is read from its beginning.
   */
  dumpEach(
    request: string,
    type: number,
    data: Buffer,
    begin: () => (object: Buffer) => void,
  ): Promise<void> {
    return this.#asked(request, type, data, MessageFlag.dump, () => {
      const visit = begin();
      return (message) => visit(message.data);
    });
  }

  /**
   * Several messages of one kind in one datagram, of which the kernel acknowledges only the last and those that it
   * refuses. Their refusals and answers together must fit the socket's receive buffer (a refusal takes some 800 bytes
   * of it, an answer up to 4 KiB), or the socket breaks.
   * @throws SojournError `SOJ_NETLINK_TIMEOUT`, `SOJ_NETLINK_BROKEN`, `SOJ_NETLINK_EPERM`; any other refusal is told
   *   with its message.
   */
  async batch(
    request: string,
    type: number,
    all: readonly Buffer[],
    flags = 0,
  ): Promise<BatchAnswer[]> {
    const answers = all.map((): BatchAnswer => ({ errnoName: null, data: [] }));
    if (all.length === 0) return answers;
    await this.#inTurn(request, (first) => {
      const last = first + all.length - 1;
      const messages = all.map((data, index) => {
        const sequence = first + index;
        const ack = sequence === last ? MessageFlag.acknowledge : 0;
        return { type, flags: flags | MessageFlag.request | ack, sequence, data };
      });
      return {
        messages,
        take(message) {
          const answer = answers[message.sequence - first];
          if (answer === undefined) return false;
          if (message.type !== controlType.error) answer.data.push(message.data);
          else answer.errnoName = errnoNameIn(message);
          // Netfilter says so once, for the whole datagram.
          if (answer.errnoName === "EPERM") throw new NetlinkError("EPERM", request);
          return message.sequence === last && message.type === controlType.error;
        },
      };
    });
    return answers;
  }

  [Symbol.dispose](): void {
    this.#socket?.close();
    this.#socket = null;
  }

  async #asked(
    request: string,
    type: number,
    data: Buffer,
    flags: number,
    begin: () => (message: NetlinkMessage) => void,
  ): Promise<void> {
    for (let tries = 1; ; tries++) {
      const visit = begin();
      let [errnoName, isInterrupted] = [null as string | null, false];
      await this.#inTurn(request, (sequence) => {
        const all = flags | MessageFlag.request | MessageFlag.acknowledge;
        return {
          messages: [{ type, flags: all, sequence, data }],
          take(message) {
            if (message.sequence !== sequence) return false;
            if (message.flags & MessageFlag.dumpInterrupted) isInterrupted = true;
            const isEnd = message.type === controlType.error || message.type === controlType.done;
            if (isEnd) errnoName = errnoNameIn(message);
            else visit(message);
            return isEnd;
          },
        };
      });
      if (errnoName !== null) throw new NetlinkError(errnoName, request);
      if (!isInterrupted || tries === interruptedDumpTries) return;
    }
  }

  #inTurn(request: string, begin: (sequence: number) => Exchange): Promise<void> {
    const result = this.#last.then(async () => {
      const exchange = begin(this.#sequence + 1);
      // 32 bits; 0 is the kernel's own.
      this.#sequence = (this.#sequence + exchange.messages.length) % 0x7fff_0000;
      await this.#exchange(request, exchange);
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #exchange(request: string, { messages, take }: Exchange): Promise<void> {
    const socket = this.#open(request);
    let timer: Timer | undefined;
    let onMessage: ((datagram: Buffer) => void) | undefined;
    let onError: ((cause: unknown) => void) | undefined;
    socket.ref();
    try {
      await new Promise<void>((resolve, reject) => {
        const wait = () => {
          timer?.cancel();
          timer = startTimer(() => reject(timedOut(request, this.#timeoutMs)), this.#timeoutMs);
        };
        onError = (cause) => reject(broken(request, cause));
        onMessage = (datagram) => {
          try {
            if (decodeMessages(datagram).map(take).includes(true)) resolve();
            else wait();
          } catch (error) {
            reject(error);
          }
        };
        socket.on("error", onError);
        socket.on("message", onMessage);
        wait();
        socket.send(Buffer.concat(messages.map(encodeMessage)), {}, (error) => {
          if (error) onError?.(error);
        });
      });
      // It may have been disposed of meanwhile.
      if (this.#socket === socket) socket.unref();
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    } finally {
      timer?.cancel();
      if (onMessage !== undefined) socket.off("message", onMessage);
      if (onError !== undefined) socket.off("error", onError);
    }
  }

  #open(request: string): RawNetlinkSocket {
    if (this.#socket !== null) return this.#socket;
    const socket = this.#make(request);
    // Between two requests nothing waits for it: the next one fails, and opens another.
    socket.on("error", () => undefined);
    this.#socket = socket;
    return socket;
  }

  #make(request: string): RawNetlinkSocket {
    try {
      const socket = new RawNetlinkSocket(this.#protocol);
      if (this.#receiveBufferBytes !== null) socket.setRecvBufferSize(this.#receiveBufferBytes);
      return socket;
    } catch (cause) {
      throw broken(request, cause);
    }
  }
}

/** One conversation: what is sent in a datagram, and who takes what comes, true for the last of it. */
interface Exchange {
  messages: NetlinkMessage[];
  take(message: NetlinkMessage): boolean;
}
