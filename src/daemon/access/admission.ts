import type { Socket } from "node:net";
import { monotonicMs } from "../../platform/clock.ts";
import { clientNetwork } from "./client-network.ts";
import { RateMeter } from "./rate-meter.ts";
import { Tally } from "./tally.ts";

export interface ConnectionLimits {
  maxConnections: number;
  maxConnectionsPerAddress: number;
  /** Of one token or client certificate, from wherever it connects. */
  maxConnectionsPerCaller: number;
  /** A TLS handshake takes about a millisecond of the event loop, which migrations share. */
  handshakesPerSecond: number;
}

/** Of the handshakes in a second, so many may be one address's, or one known caller's; of these, one address's. */
const shareOfOne = 2 / 3;

/** Addresses of callers whose connections come first in a flood; beyond that the longest unseen is forgotten. */
const trustedAddresses = 1000;

/** A connection that has not said who it is makes room for a newer one from this age on. */
const graceMs = 500;

interface Connection {
  socket: Socket;
  /** As `clientNetwork`. */
  address: string;
  sinceMs: number;
  /** Who was the last to use it; null: nobody known yet. */
  caller: string | null;
}

/** An end of a connection, TLS or beneath it. */
type ConnectionEnd = Pick<Socket, "remoteAddress" | "remotePort">;

/**
 * Decides about each TCP connection before anything is spent on it. At most half of all may be of strangers; when that
 * half is full, the oldest of them goes, so that many silent ones keep nobody out. Addresses from which somebody has been
 * identified before are no strangers', and have handshakes of their own; their silent connections go only when there is
 * no room at all. Once it is known whose a connection is, it counts among that caller's.
 */
export class Admission {
  readonly #limits: ConnectionLimits;
  readonly #onRefused: (reason: string) => void;
  readonly #handshakes: RateMeter;
  readonly #handshakesOfTrusted: RateMeter;
  readonly #handshakesOfAddress: RateMeter;
  readonly #connections = new Map<string, Connection>();
  /** Nobody known uses these yet; in order of age. */
  readonly #strangers = new Map<string, Connection>();
  /** As above, from addresses that are known. */
  readonly #silent = new Map<string, Connection>();
  readonly #perAddress = new Tally();
  readonly #perCaller = new Tally();
  /** Who was the last to be identified there, by address; in order of their last use. */
  readonly #trusted = new Map<string, string>();

  constructor(limits: ConnectionLimits, onRefused: (reason: string) => void) {
    this.#limits = limits;
    this.#handshakes = handshakeMeter(limits);
    this.#handshakesOfTrusted = handshakeMeter(limits);
    // In all it is for the callers' meter to say; there are no more keys than trusted addresses.
    const ofAddress = Math.ceil(limits.handshakesPerSecond * shareOfOne ** 2);
    this.#handshakesOfAddress = new RateMeter(Number.POSITIVE_INFINITY, ofAddress);
    this.#onRefused = onRefused;
  }

  /** Connections that are open. */
  get count(): number {
    return this.#connections.size;
  }

  /** Whether the connection may go on; one that may not is closed. */
  admit(socket: Socket): boolean {
    const { remoteAddress } = socket;
    // It is gone already.
    if (remoteAddress === undefined) return refuse(socket);
    const address = clientNetwork(remoteAddress);
    const reason = this.#objection(address);
    if (reason !== null) {
      this.#onRefused(reason);
      return refuse(socket);
    }
    this.#add(keyOf(socket), { socket, address, sinceMs: monotonicMs(), caller: null });
    return true;
  }

  /** `caller` uses this connection. False when it may not: so many others are that caller's. */
  identified(end: ConnectionEnd, caller: string): boolean {
    const key = keyOf(end);
    const connection = this.#connections.get(key);
    // It has been cut meanwhile.
    if (connection === undefined) return true;
    if (connection.caller !== caller) {
      if (this.#perCaller.of(caller) >= this.#limits.maxConnectionsPerCaller) return false;
      if (connection.caller !== null) this.#perCaller.remove(connection.caller);
      this.#perCaller.add(caller);
      connection.caller = caller;
      this.#strangers.delete(key);
      this.#silent.delete(key);
    }
    this.#trust(connection.address, caller);
    return true;
  }

  closeAll(): void {
    for (const { socket } of this.#connections.values()) socket.destroy();
  }

  #trust(address: string, caller: string): void {
    this.#trusted.delete(address);
    this.#trusted.set(address, caller);
    const [oldest] = this.#trusted.keys();
    if (this.#trusted.size > trustedAddresses && oldest !== undefined) this.#trusted.delete(oldest);
  }

  #objection(address: string): string | null {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    if (this.#perAddress.of(address) >= maxConnectionsPerAddress) return "address";
    const caller = this.#trusted.get(address);
    const isOneTooMany = caller === undefined && this.#strangers.size >= maxConnections / 2;
    const makesRoom =
      isOneTooMany || this.#connections.size >= maxConnections
        ? (oldestOf(this.#strangers) ?? (isOneTooMany ? null : oldestOf(this.#silent)))
        : undefined;
    if (makesRoom === null) return "connections";
    if (!this.#mayShakeHands(address, caller)) return "handshakes";
    if (makesRoom !== undefined) this.#evict(makesRoom);
    return null;
  }

  #mayShakeHands(address: string, caller: string | undefined): boolean {
    if (caller === undefined) return this.#handshakes.allows(address);
    // Who else is at that address may not take all that the caller has elsewhere.
    return this.#handshakesOfAddress.allows(address) && this.#handshakesOfTrusted.allows(caller);
  }

  #evict(key: string): void {
    const connection = this.#connections.get(key);
    if (connection === undefined) return;
    this.#onRefused("unidentified");
    this.#remove(key, connection);
    connection.socket.resetAndDestroy();
  }

  #add(key: string, connection: Connection): void {
    const { address, socket } = connection;
    this.#connections.set(key, connection);
    (this.#trusted.has(address) ? this.#silent : this.#strangers).set(key, connection);
    this.#perAddress.add(address);
    socket.once("close", () => this.#remove(key, connection));
  }

  #remove(key: string, connection: Connection): void {
    if (this.#connections.get(key) !== connection) return;
    this.#connections.delete(key);
    this.#strangers.delete(key);
    this.#silent.delete(key);
    this.#perAddress.remove(connection.address);
    if (connection.caller !== null) this.#perCaller.remove(connection.caller);
  }
}

/** The key of the oldest, if that has had time to say who it is; else null. */
function oldestOf(connections: ReadonlyMap<string, Connection>): string | null {
  const [oldest] = connections;
  if (oldest === undefined) return null;
  const [key, { sinceMs }] = oldest;
  return monotonicMs() - sinceMs < graceMs ? null : key;
}

function handshakeMeter({ handshakesPerSecond }: ConnectionLimits): RateMeter {
  return new RateMeter(handshakesPerSecond, Math.ceil(handshakesPerSecond * shareOfOne));
}

/** With a reset: no state of it stays behind in the kernel. */
function refuse(socket: Socket): false {
  socket.on("error", () => {});
  socket.resetAndDestroy();
  return false;
}

/** A TLS socket is another object than the TCP socket beneath it; both know the same far end. */
function keyOf({ remoteAddress, remotePort }: ConnectionEnd): string {
  return `${remoteAddress} ${remotePort}`;
}
