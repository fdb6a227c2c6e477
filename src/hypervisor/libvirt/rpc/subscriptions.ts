import { reasonOf } from "../../../platform/errors.ts";
import type { Logger } from "../../../platform/log.ts";
import { libvirtProtocolError } from "./errors.ts";
import type { EventKind, EventMessage } from "./events/domain-events.ts";
import { mostHeldEvents } from "./limits.ts";
import type { Packet, PacketHeader } from "./packet.ts";

/** @param receivedMs when its packet was read, on the monotonic clock. */
export type EventListener<Message> = (message: Message, receivedMs: number) => void;

interface Registration {
  readonly name: string;
  readonly take: (message: EventMessage, receivedMs: number) => void;
}

interface HeldEvent {
  readonly key: string;
  readonly message: EventMessage;
  readonly receivedMs: number;
}

/**
 * Who listens to which of libvirt's events. An event may come before the reply to its registration, which brings the
 * number that it is known by: until then it is held.
 */
export class Subscriptions {
  readonly #kinds = new Map<string, EventKind<EventMessage>>();
  readonly #registrations = new Map<string, Registration>();
  readonly #logger: Logger;
  #held: HeldEvent[] = [];
  #registering = 0;

  constructor(kinds: readonly EventKind<EventMessage>[], logger: Logger) {
    for (const kind of kinds) this.#kinds.set(`${kind.program}/${kind.procedure}`, kind);
    this.#logger = logger;
  }

  /** @param register tells libvirt, and gives libvirt's number for it; what it throws comes through. */
  async add<Message extends EventMessage>(
    kind: EventKind<Message>,
    listener: EventListener<Message>,
    register: () => Promise<number>,
  ): Promise<number> {
    this.#registering++;
    try {
      const callbackId = await register();
      const key = keyOf(kind, callbackId);
      const take = (message: EventMessage, receivedMs: number) =>
        this.#guarded(() => listener(message as Message, receivedMs));
      this.#registrations.set(key, { name: kind.name, take });
      for (const { message, receivedMs } of this.#release(key)) take(message, receivedMs);
      return callbackId;
    } finally {
      this.#registering--;
      if (this.#registering === 0) this.#held = [];
    }
  }

  remove(kind: EventKind<EventMessage>, callbackId: number): void {
    this.#registrations.delete(keyOf(kind, callbackId));
  }

  /**
   * Hands an event to its listener; one that nobody waits for (any more) is dropped.
   * @throws SojournError `SOJ_LIBVIRT_PROTOCOL` for one that is none of the known, cannot be read or is none of what
   * was asked for
   */
  receive({ header, payload }: Packet, receivedMs: number): void {
    const kind = this.#kindOf(header);
    const message = decode(kind, payload);
    const key = keyOf(kind, message.callbackId);
    const registration = this.#registrations.get(key);
    if (registration === undefined) {
      if (this.#registering > 0) this.#hold({ key, message, receivedMs });
    } else if (registration.name !== kind.name) {
      throw libvirtProtocolError(`an event ${kind.name} to whom wants ${registration.name}`);
    } else {
      registration.take(message, receivedMs);
    }
  }

  #kindOf({ program, procedure }: PacketHeader): EventKind<EventMessage> {
    const kind = this.#kinds.get(`${program}/${procedure}`);
    if (kind !== undefined) return kind;
    throw libvirtProtocolError(`the event ${procedure}, which was not asked for`);
  }

  #hold(event: HeldEvent): void {
    if (this.#held.length >= mostHeldEvents) {
      throw libvirtProtocolError(`more than ${mostHeldEvents} events for whom nobody knows yet`);
    }
    this.#held.push(event);
  }

  #release(key: string): HeldEvent[] {
    const released = this.#held.filter((event) => event.key === key);
    this.#held = this.#held.filter((event) => event.key !== key);
    return released;
  }

  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#logger.error({ err: error }, "a listener for libvirt's events failed");
    }
  }
}

function decode(kind: EventKind<EventMessage>, payload: Buffer): EventMessage {
  try {
    return kind.message.decode(payload);
  } catch (cause) {
    const what = `an event ${kind.name} that cannot be read: ${reasonOf(cause)}`;
    throw libvirtProtocolError(what, cause);
  }
}

/** Registrations of the two programs are numbered apart. */
function keyOf({ program }: EventKind<EventMessage>, callbackId: number): string {
  return `${program}/${callbackId}`;
}
