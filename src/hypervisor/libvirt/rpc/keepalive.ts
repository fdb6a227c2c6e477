import { startInterval, type Timer } from "../../../platform/clock.ts";
import { encodePacket, MessageStatus, MessageType, type PacketHeader } from "./packet.ts";
import { Program, programVersion } from "./programs.ts";

export interface KeepalivePace {
  /** So long nothing was heard before a ping is sent. */
  intervalMs: number;
  /** So many pings in a row without an answer mean that nobody is there any more. */
  mostUnanswered: number;
}

/** As libvirt's own clients do it. */
export const usualKeepalive: KeepalivePace = { intervalMs: 5_000, mostUnanswered: 5 };

/** The keepalive program (`virkeepaliveprotocol.x`): two procedures without arguments. */
const Procedure = { ping: 1, pong: 2 } as const;

/** Notices an end of the line that says nothing any more, and answers when it asks the same of us. */
export class Keepalive {
  readonly #pace: KeepalivePace;
  readonly #onSilence: (silentMs: number) => void;
  readonly #send: (packet: Buffer) => void;
  #timer: Timer | null = null;
  #heard = false;
  #unanswered = 0;

  constructor(
    pace: KeepalivePace,
    send: (packet: Buffer) => void,
    onSilence: (silentMs: number) => void,
  ) {
    this.#pace = pace;
    this.#send = send;
    this.#onSilence = onSilence;
  }

  start(): void {
    this.#timer ??= startInterval(() => this.#tick(), this.#pace.intervalMs);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** To be called for everything that comes. */
  heard(): void {
    this.#heard = true;
    this.#unanswered = 0;
  }

  /** Takes a packet of the keepalive program. */
  receive({ procedure }: PacketHeader): void {
    if (procedure === Procedure.ping) this.#send(packetOf(Procedure.pong));
  }

  #tick(): void {
    const wasHeard = this.#heard;
    this.#heard = false;
    if (wasHeard) return;
    const { intervalMs, mostUnanswered } = this.#pace;
    if (this.#unanswered >= mostUnanswered) {
      this.#onSilence(intervalMs * mostUnanswered);
      return;
    }
    this.#unanswered++;
    this.#send(packetOf(Procedure.ping));
  }
}

/** True for the header of a ping or a pong. */
export function isKeepalive(header: PacketHeader, payloadBytes: number): boolean {
  const { type, status, procedure } = header;
  const isKnown = procedure === Procedure.ping || procedure === Procedure.pong;
  const isPlain = type === MessageType.event && status === MessageStatus.ok && payloadBytes === 0;
  return isKnown && isPlain;
}

function packetOf(procedure: number): Buffer {
  const header = {
    program: Program.keepalive,
    version: programVersion,
    procedure,
    type: MessageType.event,
    serial: 0,
    status: MessageStatus.ok,
  };
  return encodePacket(header, new Uint8Array(0));
}
