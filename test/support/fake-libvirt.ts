import { mkdtemp } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  LibvirtConnection,
  type LibvirtConnectionOptions,
} from "../../src/hypervisor/libvirt/rpc/connection.ts";
import type { LibvirtErrorFacts } from "../../src/hypervisor/libvirt/rpc/errors.ts";
import type {
  EventKind,
  EventMessage,
} from "../../src/hypervisor/libvirt/rpc/events/domain-events.ts";
import {
  encodePacket,
  MessageStatus,
  MessageType,
  type PacketHeader,
} from "../../src/hypervisor/libvirt/rpc/packet.ts";
import { PacketSplitter } from "../../src/hypervisor/libvirt/rpc/packet-splitter.ts";
import type { Procedure } from "../../src/hypervisor/libvirt/rpc/procedure.ts";
import {
  authList,
  authType,
  connectClose,
  connectGetLibVersion,
  connectGetType,
  connectOpen,
  connectRegisterCloseCallback,
  connectSupportsFeature,
} from "../../src/hypervisor/libvirt/rpc/procedures/connect.ts";
import { Program } from "../../src/hypervisor/libvirt/rpc/programs.ts";
import { encodeWireError } from "../../src/hypervisor/libvirt/rpc/xdr/wire-error.ts";
import { createLogger } from "../../src/platform/log.ts";
import { FakeUnixServer } from "./fake-unix-server.ts";

/** A call as it came. */
export interface FakeCall {
  header: PacketHeader;
  payload: Buffer;
  socket: Socket;
}

/** Any procedure: what it is told by. */
type Numbered = Pick<Procedure<unknown, unknown>, "program" | "number">;

/** What is sent as the answer; undefined for none. */
type Answer = (call: FakeCall) => Uint8Array | undefined;

/** A libvirt that says what a test wants it to say, true or not. */
export class FakeLibvirt extends FakeUnixServer {
  readonly calls: FakeCall[] = [];
  readonly keepalives: PacketHeader[] = [];
  /** Whether pings are answered. */
  isAwake = true;
  readonly #clients = new Set<LibvirtConnection>();
  readonly #answers = new Map<string, Answer>();

  static async listen(): Promise<FakeLibvirt> {
    const folder = await mkdtemp(join(tmpdir(), "fake-libvirt-"));
    const fake = new FakeLibvirt(folder);
    await fake.listening;
    return fake;
  }

  private constructor(folder: string) {
    super(folder, "libvirt.sock");
    this.reply(authList, () => ({ types: [authType.none] }));
    this.reply(connectSupportsFeature, () => ({ supported: 1 }));
    this.reply(connectOpen, () => ({}));
    this.reply(connectClose, () => ({}));
    this.reply(connectGetLibVersion, () => ({ version: 9_000_002n }));
    this.reply(connectGetType, () => ({ type: "QEMU" }));
    this.reply(connectRegisterCloseCallback, () => ({}));
  }

  /** From now on answers a procedure with what `answer` makes of its arguments; undefined for no answer. */
  reply<Arguments, Reply>(
    procedure: Procedure<Arguments, Reply>,
    answer: (args: Arguments, call: FakeCall) => Reply | undefined,
  ): void {
    this.answer(procedure, (call) => {
      const reply = answer(procedure.arguments.decode(call.payload), call);
      return reply === undefined ? undefined : replyTo(call, procedure.reply.encode(reply));
    });
  }

  /** From now on refuses a procedure. */
  refuse(procedure: Numbered, facts: LibvirtErrorFacts): void {
    this.answer(procedure, (call) =>
      replyTo(call, encodeWireError(facts), { status: MessageStatus.error }),
    );
  }

  /** From now on answers a procedure with any bytes. */
  answer(procedure: Numbered, answer: Answer): void {
    this.#answers.set(`${procedure.program}/${procedure.number}`, answer);
  }

  /** Sends bytes to every client, and waits until they have gone. */
  async sayAll(bytes: Uint8Array): Promise<void> {
    const gone = [...this.sockets].map(
      (socket) => new Promise((resolve) => socket.write(bytes, resolve)),
    );
    await Promise.all(gone);
  }

  /** Reads nothing any more from those who are connected. */
  stopReading(): void {
    for (const socket of this.sockets) socket.pause();
  }

  event<Message extends EventMessage>(kind: EventKind<Message>, message: Message): void {
    this.say(eventPacket(kind, message));
  }

  /** Opens a connection to it, without a log; it ends with this at the latest. */
  async connect(options: Partial<LibvirtConnectionOptions> = {}): Promise<LibvirtConnection> {
    const logger = createLogger("silent");
    const client = await LibvirtConnection.open({ logger, sockets: [this.path], ...options });
    this.#clients.add(client);
    return client;
  }

  /** The numbers of the procedures that were called. */
  get procedures(): number[] {
    return this.calls.map(({ header }) => header.procedure);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await super[Symbol.asyncDispose]();
  }

  protected serve(socket: Socket): void {
    const splitter = new PacketSplitter(() => {});
    socket.on("data", (chunk) => {
      for (const { header, payload } of splitter.push(chunk)) {
        if (header.program === Program.keepalive) this.#beAsked(header, socket);
        else this.#receive({ header, payload, socket });
      }
    });
  }

  #receive(call: FakeCall): void {
    this.calls.push(call);
    const { program, procedure } = call.header;
    const answer = this.#answers.get(`${program}/${procedure}`)?.(call);
    if (answer !== undefined && !call.socket.destroyed) call.socket.write(answer);
  }

  #beAsked(header: PacketHeader, socket: Socket): void {
    this.keepalives.push(header);
    if (header.procedure === 1 && this.isAwake) {
      socket.write(encodePacket({ ...header, procedure: 2 }, new Uint8Array(0)));
    }
  }
}

/** A reply to a call. @param changes to its header, for one that is wrong. */
export function replyTo(
  { header }: FakeCall,
  payload: Uint8Array,
  changes: Partial<PacketHeader> = {},
): Buffer {
  return encodePacket({ ...header, type: MessageType.reply, ...changes }, payload);
}

export function eventPacket<Message extends EventMessage>(
  { program, procedure, message: type }: EventKind<Message>,
  message: Message,
): Buffer {
  const { event } = MessageType;
  const header = { program, version: 1, procedure, type: event, serial: 1, status: 0 };
  return encodePacket(header, type.encode(message));
}
