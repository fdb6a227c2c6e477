import { connect as connectSocket, type Socket } from "node:net";
import { monotonicMs } from "../../../platform/clock.ts";
import { type CallOptions, Calls } from "./calls.ts";
import {
  libvirtAccessError,
  libvirtClosedError,
  libvirtProtocolError,
  libvirtUnreachableError,
} from "./errors.ts";
import { isKeepalive, Keepalive, type KeepalivePace } from "./keepalive.ts";
import { longestBacklogBytes } from "./limits.ts";
import { MessageStatus, MessageType, type Packet, type PacketHeader } from "./packet.ts";
import { PacketSplitter } from "./packet-splitter.ts";
import type { Procedure } from "./procedure.ts";
import { Program, programVersion } from "./programs.ts";

export interface ChannelOptions {
  /** Told of each event packet; what it throws ends the channel. */
  onEvent: (packet: Packet, receivedMs: number) => void;
  keepalive: KeepalivePace;
  /** Calls that may be with libvirt at once. */
  mostInFlight: number;
}

/** libvirt's RPC over one unix socket: calls and their replies, events, keepalive. Knows nothing of what they mean. */
export class RpcChannel {
  readonly path: string;
  /** Resolves, never rejects, with the reason once the channel has ended. */
  readonly closed: Promise<Error>;
  readonly #socket: Socket;
  readonly #calls: Calls;
  readonly #keepalive: Keepalive;
  readonly #splitter = new PacketSplitter((header, bytes) => this.#check(header, bytes));
  readonly #onEvent: ChannelOptions["onEvent"];
  readonly #connected = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<Error>();
  #isConnected = false;
  #closeReason: Error | null = null;

  /** @throws SojournError `SOJ_LIBVIRT_UNREACHABLE`, `SOJ_LIBVIRT_ACCESS` */
  static async connect(path: string, options: ChannelOptions): Promise<RpcChannel> {
    const channel = new RpcChannel(path, options);
    await channel.#connected.promise;
    return channel;
  }

  private constructor(path: string, { onEvent, keepalive, mostInFlight }: ChannelOptions) {
    this.path = path;
    this.closed = this.#closed.promise;
    this.#onEvent = onEvent;
    this.#calls = new Calls(mostInFlight, (packet) => this.#socket.write(packet));
    this.#keepalive = new Keepalive(
      keepalive,
      (packet) => this.#writeIfTaken(packet),
      (silentMs) => this.close(libvirtClosedError(path, `was silent for ${silentMs} ms`)),
    );
    this.#socket = connectSocket({ path });
    this.#socket.on("connect", () => {
      this.#isConnected = true;
      this.#connected.resolve();
    });
    this.#socket.on("data", (chunk) => this.#receive(chunk));
    this.#socket.on("error", (error) => this.close(this.#explain(error)));
    this.#socket.on("close", () => this.close(this.#explainEnd()));
  }

  get isOpen(): boolean {
    return this.#closeReason === null;
  }

  /** Bytes that libvirt has not taken yet. */
  get backlogBytes(): number {
    return this.#socket.writableLength;
  }

  /** Asks libvirt for something and awaits its reply; @see Calls.call for what is thrown. */
  call<Arguments, Reply>(
    procedure: Procedure<Arguments, Reply>,
    args: Arguments,
    options?: CallOptions,
  ): Promise<Reply> {
    return this.#calls.call(procedure, args, options);
  }

  /** From now on silence ends the channel. Only for a libvirt that has said that it answers. */
  startKeepalive(): void {
    if (this.isOpen) this.#keepalive.start();
  }

  /** Ends the channel; what is pending fails with `reason`. */
  close(reason: Error = libvirtClosedError(this.path, "was closed by us")): void {
    if (this.#closeReason !== null) return;
    this.#closeReason = reason;
    this.#keepalive.stop();
    this.#socket.destroy();
    this.#calls.end(reason);
    this.#connected.promise.catch(() => {});
    this.#connected.reject(reason);
    this.#closed.resolve(reason);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const packet of this.#splitter.push(chunk)) {
        if (!this.isOpen) return;
        this.#dispatch(packet);
      }
    } catch (error) {
      this.close(error as Error);
    }
  }

  #check(header: PacketHeader, payloadBytes: number): void {
    const { program, version, type, status } = header;
    if (version !== programVersion) {
      throw libvirtProtocolError(`a packet of version ${version} of its protocol`);
    }
    if (program === Program.keepalive) {
      if (!isKeepalive(header, payloadBytes)) throw libvirtProtocolError("an odd keepalive packet");
    } else if (program !== Program.remote && program !== Program.qemu) {
      throw libvirtProtocolError(`a packet of the unknown program 0x${program.toString(16)}`);
    } else if (type === MessageType.reply) {
      this.#calls.check(header);
    } else if (type !== MessageType.event || status !== MessageStatus.ok) {
      throw libvirtProtocolError(`a packet of type ${type} with status ${status}`);
    }
  }

  #dispatch(packet: Packet): void {
    const { header, payload } = packet;
    this.#keepalive.heard();
    if (header.program === Program.keepalive) this.#keepalive.receive(header);
    else if (header.type === MessageType.reply) this.#calls.receive(header, payload);
    else this.#onEvent(packet, monotonicMs());
  }

  /** Pings and pongs wait for nobody, and must not pile up before somebody who does not read. */
  #writeIfTaken(packet: Buffer): void {
    if (this.backlogBytes <= longestBacklogBytes) this.#socket.write(packet);
  }

  #explain(error: NodeJS.ErrnoException): Error {
    if (this.#isConnected) {
      return libvirtClosedError(this.path, `broke: ${error.message}`, error);
    }
    if (error.code === "EACCES" || error.code === "EPERM") {
      return libvirtAccessError(this.path, error.message, error);
    }
    return libvirtUnreachableError(this.path, error);
  }

  #explainEnd(): Error {
    const heldBytes = this.#splitter.heldBytes;
    const where = heldBytes === 0 ? "" : `, ${heldBytes} bytes into a packet`;
    return libvirtClosedError(this.path, `was closed by libvirt${where}`);
  }
}
