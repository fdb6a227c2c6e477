import type { Socket } from "node:net";
import { monotonicMs } from "../../platform/clock.ts";
import { clientNetwork } from "./client-network.ts";
import { RateMeter } from "./rate-meter.ts";

export interface ConnectionLimits {
  maxConnections: number;
  maxConnectionsPerAddress: number;
  /** A TLS handshake takes about a millisecond of the event loop, which migrations share. */
  handshakesPerSecond: number;
}

/** Of the handshakes in a second, so many may be one address's. */
const shareOfOneAddress = 2 / 3;

/** Addresses of callers whose connections come first in a flood; beyond that the longest unseen is forgotten. */
const trustedAddresses = 1000;

/** A connection that has not said who it is makes room for a newer one from this age on. */
const graceMs = 500;

interface Connection {
  socket: Socket;
  /** As `clientNetwork`. */
  address: string;
  sinceMs: number;
}

/** An end of a connection, TLS or beneath it. */
type ConnectionEnd = Pick<Socket, "remoteAddress" | "remotePort">;

/**
 * Decides about each TCP connection before anything is spent on it. At most half of all may be of callers who have not
 * been identified; when that half is full, the oldest of them goes, so that many silent ones keep nobody out. Addresses
 * from which somebody has been identified before do not count among them, and have handshakes of their own.
 */
export class Admission {
  readonly #limits: ConnectionLimits;
  readonly #onRefused: (reason: string) => void;
  readonly #handshakes: RateMeter;
  readonly #handshakesOfTrusted: RateMeter;
  readonly #connections = new Map<string, Connection>();
  /** In order of age. */
  readonly #unidentified = new Map<string, Connection>();
  readonly #perAddress = new Map<string, number>();
  /** In order of their last use. */
  readonly #trusted = new Set<string>();

  constructor(limits: ConnectionLimits, onRefused: (reason: string) => void) {
    this.#limits = limits;
    this.#handshakes = handshakeMeter(limits);
    this.#handshakesOfTrusted = handshakeMeter(limits);
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
    this.#add(keyOf(socket), { socket, address, sinceMs: monotonicMs() });
    return true;
  }

  /** Somebody known uses this connection. */
  identified(end: ConnectionEnd): void {
    this.#unidentified.delete(keyOf(end));
    if (end.remoteAddress === undefined) return;
    const address = clientNetwork(end.remoteAddress);
    this.#trusted.delete(address);
    this.#trusted.add(address);
    const [oldest] = this.#trusted;
    if (this.#trusted.size > trustedAddresses && oldest !== undefined) this.#trusted.delete(oldest);
  }

  closeAll(): void {
    for (const { socket } of this.#connections.values()) socket.destroy();
  }

  #objection(address: string): string | null {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    if (this.#connections.size >= maxConnections) return "connections";
    if ((this.#perAddress.get(address) ?? 0) >= maxConnectionsPerAddress) return "address";
    if (this.#trusted.has(address)) {
      return this.#handshakesOfTrusted.allows(address) ? null : "handshakes";
    }
    if (this.#unidentified.size >= maxConnections / 2 && !this.#evictOldest()) return "connections";
    return this.#handshakes.allows(address) ? null : "handshakes";
  }

  #evictOldest(): boolean {
    const [oldest] = this.#unidentified;
    if (oldest === undefined) return false;
    const [key, connection] = oldest;
    if (monotonicMs() - connection.sinceMs < graceMs) return false;
    this.#onRefused("unidentified");
    this.#remove(key, connection);
    connection.socket.resetAndDestroy();
    return true;
  }

  #add(key: string, connection: Connection): void {
    const { address, socket } = connection;
    this.#connections.set(key, connection);
    if (!this.#trusted.has(address)) this.#unidentified.set(key, connection);
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    socket.once("close", () => this.#remove(key, connection));
  }

  #remove(key: string, connection: Connection): void {
    if (this.#connections.get(key) !== connection) return;
    this.#connections.delete(key);
    this.#unidentified.delete(key);
    const left = (this.#perAddress.get(connection.address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(connection.address, left);
    else this.#perAddress.delete(connection.address);
  }
}

function handshakeMeter({ handshakesPerSecond }: ConnectionLimits): RateMeter {
  return new RateMeter(handshakesPerSecond, Math.ceil(handshakesPerSecond * shareOfOneAddress));
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
