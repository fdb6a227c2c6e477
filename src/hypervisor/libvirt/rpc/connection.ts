import { startTimer } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/log.ts";
import type { CallOptions } from "./calls.ts";
import type { RpcChannel } from "./channel.ts";
import { connectFirst, systemSockets } from "./connect-first.ts";
import { libvirtTimeoutError } from "./errors.ts";
import { throwIfConnectionClosed } from "./events/connection-closed.ts";
import {
  type DomainEventKind,
  domainEvents,
  type EventKind,
  type EventMessage,
} from "./events/domain-events.ts";
import { type MonitorMessage, monitorEvent } from "./events/monitor-event.ts";
import { type LibvirtFacts, shakeHands } from "./handshake.ts";
import { type KeepalivePace, usualKeepalive } from "./keepalive.ts";
import type { Procedure } from "./procedure.ts";
import {
  connectClose,
  connectDomainEventCallbackDeregisterAny,
  connectDomainEventCallbackRegisterAny,
} from "./procedures/connect.ts";
import {
  connectDomainMonitorEventDeregister,
  connectDomainMonitorEventRegister,
} from "./procedures/qemu.ts";
import { type EventListener, Subscriptions } from "./subscriptions.ts";
import type { Domain } from "./xdr/domain.ts";

export interface LibvirtConnectionOptions {
  logger: Logger;
  /** Tried in this order until one is there; without it the system's. */
  sockets?: readonly string[];
  uri?: string;
  /** Time for everything until the connection can be used. */
  timeoutMs?: number;
  keepalive?: KeepalivePace;
  /**
   * Calls that are with libvirt at once. libvirt reads no more of a client with 5 of them (`max_client_requests`), not
   * even its pings, so one place is left free.
   */
  mostInFlight?: number;
}

export interface SubscriptionOptions extends CallOptions {
  /** Without it events of every domain. */
  domain?: Domain;
}

export interface MonitorSubscriptionOptions extends SubscriptionOptions {
  /** Name of the event, as QEMU writes it; every event without. */
  event?: string;
  /** @see MonitorEventFlag */
  flags?: number;
}

/**
 * A connection to libvirt's QEMU driver. When it ends it stays ended: whoever needs another opens one. libvirt takes
 * back a migration whose connection ends in the middle, at the end that lost it.
 */
export class LibvirtConnection implements AsyncDisposable {
  readonly facts: LibvirtFacts;
  readonly #channel: RpcChannel;
  readonly #subscriptions: Subscriptions;

  /**
   * Connects, authenticates and attaches to the driver.
   * @throws LibvirtCallError when libvirt refuses the URI
   * @throws SojournError `SOJ_LIBVIRT_UNREACHABLE`, `SOJ_LIBVIRT_ACCESS`, `SOJ_LIBVIRT_TOO_OLD`,
   * `SOJ_LIBVIRT_PROTOCOL`, `SOJ_LIBVIRT_CLOSED`, `SOJ_HYPERVISOR_TIMEOUT`
   */
  static async open(options: LibvirtConnectionOptions): Promise<LibvirtConnection> {
    const { logger, uri = "qemu:///system", timeoutMs = 10_000 } = options;
    const subscriptions = new Subscriptions([...domainEvents, monitorEvent], logger);
    const channel = await connectFirst(options.sockets ?? systemSockets, {
      keepalive: options.keepalive ?? usualKeepalive,
      mostInFlight: options.mostInFlight ?? 4,
      onEvent: (packet, receivedMs) => {
        throwIfConnectionClosed(packet);
        subscriptions.receive(packet, receivedMs);
      },
    });
    const timer = startTimer(
      () => channel.close(libvirtTimeoutError("a new connection", timeoutMs, true)),
      timeoutMs,
    );
    try {
      const facts = await shakeHands(channel, uri);
      return new LibvirtConnection(channel, subscriptions, facts);
    } catch (error) {
      channel.close();
      throw error;
    } finally {
      timer.cancel();
    }
  }

  private constructor(channel: RpcChannel, subscriptions: Subscriptions, facts: LibvirtFacts) {
    this.#channel = channel;
    this.#subscriptions = subscriptions;
    this.facts = facts;
  }

  /** Path of the socket. */
  get path(): string {
    return this.#channel.path;
  }

  /** Resolves, never rejects, with the reason once the connection has ended. */
  get closed(): Promise<Error> {
    return this.#channel.closed;
  }

  get isOpen(): boolean {
    return this.#channel.isOpen;
  }

  /** Bytes that libvirt has not taken yet. */
  get backlogBytes(): number {
    return this.#channel.backlogBytes;
  }

  /**
   * Asks libvirt for something and awaits its reply. Several may be under way; replies come in any order.
   * @throws LibvirtCallError when libvirt refuses it
   * @throws SojournError `SOJ_HYPERVISOR_TIMEOUT`, `SOJ_LIBVIRT_CLOSED`, `SOJ_LIBVIRT_PROTOCOL`, `SOJ_LIBVIRT_BUSY`,
   * `SOJ_LIBVIRT_ARGUMENT`; the signal's reason
   */
  call<Arguments, Reply>(
    procedure: Procedure<Arguments, Reply>,
    args: Arguments,
    options?: CallOptions,
  ): Promise<Reply> {
    return this.#channel.call(procedure, args, options);
  }

  /**
   * Tells `listener` of events of one kind, of one domain or of all, until the result is disposed of.
   * @throws as `call`
   */
  async subscribe<Message extends EventMessage>(
    kind: DomainEventKind<Message>,
    listener: EventListener<Message>,
    { domain, ...options }: SubscriptionOptions = {},
  ): Promise<AsyncDisposable> {
    const callbackId = await this.#subscriptions.add(kind, listener, async () => {
      const args = { eventId: kind.eventId, domain: domain ?? null };
      return (await this.call(connectDomainEventCallbackRegisterAny, args, options)).callbackId;
    });
    return this.#subscription(kind, callbackId, connectDomainEventCallbackDeregisterAny);
  }

  /**
   * Tells `listener` of events of QEMU's monitors, as QEMU sent them, until the result is disposed of.
   * @throws as `call`
   */
  async subscribeMonitor(
    listener: EventListener<MonitorMessage>,
    { domain, event, flags = 0, ...options }: MonitorSubscriptionOptions = {},
  ): Promise<AsyncDisposable> {
    const callbackId = await this.#subscriptions.add(monitorEvent, listener, async () => {
      const args = { domain: domain ?? null, event: event ?? null, flags };
      return (await this.call(connectDomainMonitorEventRegister, args, options)).callbackId;
    });
    return this.#subscription(monitorEvent, callbackId, connectDomainMonitorEventDeregister);
  }

  /** Ends the connection at once; what is pending fails with `reason`. */
  close(reason?: Error): void {
    this.#channel.close(reason);
  }

  /** Takes leave of libvirt, for a second at most, and ends the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    const leave = this.call(connectClose, {}, { timeoutMs: 1000 });
    await leave.catch(() => {});
    this.close();
  }

  #subscription(
    kind: EventKind<EventMessage>,
    callbackId: number,
    deregister: Procedure<{ callbackId: number }, unknown>,
  ): AsyncDisposable {
    return {
      [Symbol.asyncDispose]: async () => {
        this.#subscriptions.remove(kind, callbackId);
        // libvirt forgets it with the connection, if not now.
        await this.call(deregister, { callbackId }).catch(() => {});
      },
    };
  }
}
