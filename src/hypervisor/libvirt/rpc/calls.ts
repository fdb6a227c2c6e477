import { startTimer } from "../../../platform/clock.ts";
import { reasonOf, SojournError } from "../../../platform/errors.ts";
import {
  LibvirtCallError,
  libvirtArgumentError,
  libvirtProtocolError,
  libvirtTimeoutError,
} from "./errors.ts";
import { longestSentPacketBytes, mostWaitingCalls } from "./limits.ts";
import { callHeader, encodePacket, MessageStatus, type PacketHeader } from "./packet.ts";
import type { Procedure } from "./procedure.ts";
import { decodeWireError } from "./xdr/wire-error.ts";

export interface CallOptions {
  /** Null for none: then only the end of the connection ends it. Waiting for its turn counts. */
  timeoutMs?: number | null;
  /** Gives the call up; libvirt is not told. */
  signal?: AbortSignal;
}

interface Call {
  readonly program: number;
  readonly procedure: number;
  readonly name: string;
  readonly payload: Uint8Array;
  /** Nobody waits for the reply any more; it is still to come. */
  isAbandoned: boolean;
  /** @throws XdrError when the payload is none of this call. */
  readonly settle: (payload: Buffer) => void;
  readonly fail: (error: Error) => void;
}

const usualTimeoutMs = 10_000;
const lastSerial = 0xffff_ffff;

/**
 * The calls of one connection: up to `mostInFlight` with libvirt, the others wait for their turn. A call that was given
 * up keeps its place until its reply comes, because libvirt still works on it.
 */
export class Calls {
  readonly #mostInFlight: number;
  readonly #send: (packet: Buffer) => void;
  readonly #waiting = new Set<Call>();
  readonly #inFlight = new Map<number, Call>();
  #serial = 0;
  #failure: Error | null = null;

  constructor(mostInFlight: number, send: (packet: Buffer) => void) {
    this.#mostInFlight = mostInFlight;
    this.#send = send;
  }

  /**
   * @throws LibvirtCallError when libvirt refuses it
   * @throws SojournError `SOJ_HYPERVISOR_TIMEOUT`, `SOJ_LIBVIRT_ARGUMENT`; what the connection ended with; the
   * signal's reason
   */
  call<Arguments, Reply>(
    procedure: Procedure<Arguments, Reply>,
    args: Arguments,
    { timeoutMs = usualTimeoutMs, signal }: CallOptions = {},
  ): Promise<Reply> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const call = this.#admit(procedure, args, resolve, reject);
    if (call instanceof Error) return Promise.reject(call);
    const onAbort = () => this.#giveUp(call, signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const timer = timeoutMs === null ? null : this.#limit(call, timeoutMs);
    this.#proceed();
    return promise.finally(() => {
      timer?.cancel();
      signal?.removeEventListener("abort", onAbort);
    });
  }

  /** @throws SojournError `SOJ_LIBVIRT_PROTOCOL` unless the header is that of a reply which is due. */
  check(header: PacketHeader): void {
    const { serial, program, procedure, status } = header;
    const call = this.#inFlight.get(serial);
    if (call === undefined) throw libvirtProtocolError(`a reply to no call (serial ${serial})`);
    if (call.program !== program || call.procedure !== procedure) {
      throw libvirtProtocolError(
        `a reply to ${call.name} that says it is one to procedure ${procedure} of ${hex(program)}`,
      );
    }
    if (status !== MessageStatus.ok && status !== MessageStatus.error) {
      throw libvirtProtocolError(`a reply to ${call.name} with status ${status}`);
    }
  }

  /** Takes a reply that was checked. @throws SojournError `SOJ_LIBVIRT_PROTOCOL` when its payload does not fit. */
  receive({ serial, status }: PacketHeader, payload: Buffer): void {
    const call = this.#inFlight.get(serial);
    if (call === undefined) return;
    try {
      if (call.isAbandoned) {
        // Its contents are nobody's business any more.
      } else if (status === MessageStatus.ok) call.settle(payload);
      else call.fail(new LibvirtCallError(call.name, decodeWireError(payload)));
    } catch (cause) {
      const what = `a reply to ${call.name} that cannot be read: ${reasonOf(cause)}`;
      throw libvirtProtocolError(what, cause);
    }
    this.#inFlight.delete(serial);
    this.#proceed();
  }

  /** Fails all calls, now and from now on. */
  end(error: Error): void {
    this.#failure = error;
    for (const call of [...this.#inFlight.values(), ...this.#waiting]) call.fail(error);
    this.#inFlight.clear();
    this.#waiting.clear();
  }

  #admit<Arguments, Reply>(
    procedure: Procedure<Arguments, Reply>,
    args: Arguments,
    resolve: (reply: Reply) => void,
    fail: (error: Error) => void,
  ): Call | Error {
    if (this.#waiting.size >= mostWaitingCalls) return tooMany(procedure.name);
    try {
      const payload = procedure.arguments.encode(args);
      if (payload.length > longestSentPacketBytes / 2) {
        throw new RangeError(`its arguments take ${payload.length} bytes`);
      }
      const call: Call = {
        program: procedure.program,
        procedure: procedure.number,
        name: procedure.name,
        payload,
        isAbandoned: false,
        settle: (reply) => resolve(procedure.reply.decode(reply)),
        fail,
      };
      this.#waiting.add(call);
      return call;
    } catch (cause) {
      return libvirtArgumentError(procedure.name, cause);
    }
  }

  /** Sends what waits, as far as there is room. */
  #proceed(): void {
    for (const call of this.#waiting) {
      if (this.#inFlight.size >= this.#mostInFlight) return;
      this.#waiting.delete(call);
      const serial = this.#nextSerial();
      this.#inFlight.set(serial, call);
      this.#send(encodePacket(callHeader(call.program, call.procedure, serial), call.payload));
    }
  }

  #limit(call: Call, timeoutMs: number) {
    return startTimer(() => {
      const isSent = !this.#waiting.has(call);
      this.#giveUp(call, libvirtTimeoutError(call.name, timeoutMs, isSent));
    }, timeoutMs);
  }

  #giveUp(call: Call, reason: Error): void {
    this.#waiting.delete(call);
    call.isAbandoned = true;
    call.fail(reason);
  }

  #nextSerial(): number {
    do {
      this.#serial = this.#serial === lastSerial ? 1 : this.#serial + 1;
    } while (this.#inFlight.has(this.#serial));
    return this.#serial;
  }
}

function tooMany(name: string): SojournError {
  return new SojournError(
    "SOJ_LIBVIRT_BUSY",
    `${name} was not sent: ${mostWaitingCalls} calls to libvirt wait already`,
    { retryable: true, hint: "libvirt is slow or hangs; the calls under way go on" },
  );
}

function hex(program: number): string {
  return `0x${program.toString(16)}`;
}
