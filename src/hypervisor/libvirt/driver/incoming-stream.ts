import { SojournError } from "../../../platform/errors.ts";
import type { StreamAnswer } from "../../hypervisor.ts";
import type { LibvirtConnection } from "../rpc/connection.ts";
import { LibvirtCallError } from "../rpc/errors.ts";
import { migrationParameters } from "../rpc/migration-parameters.ts";
import { domainMigrateFinish, domainMigratePrepare } from "../rpc/procedures/migration.ts";
import type { Arrival } from "./arrival-description.ts";
import type { StreamOptions, StreamPorts } from "./libvirt-hypervisor.ts";
import type { LibvirtLink } from "./link.ts";
import { portOf, streamFlags, streamUri } from "./stream-parameters.ts";

export interface IncomingOptions {
  link: LibvirtLink;
  stream: StreamOptions;
  /** Null for those of libvirt's own configuration. */
  ports: StreamPorts | null;
}

/** libvirt starts a QEMU for it. */
const prepareTimeoutMs = 28_000;
/** It returns once the stream is loaded, which it is by then. */
const finishTimeoutMs = 30_000;
/** Of a range, so many ports are tried. */
const mostPorts = 32;

/**
 * The destination's phases of one migration, on a connection of their own: prepare, finish. Until finish has returned,
 * libvirt ends the domain when this connection ends.
 */
export class IncomingStream {
  readonly port: number;
  readonly answer: StreamAnswer;
  readonly #connection: LibvirtConnection;
  readonly #domainName: string;
  readonly #flags: number;

  /**
   * Starts the QEMU that awaits the stream.
   * @throws LibvirtCallError; SojournError `SOJ_HYPERVISOR_DISCONNECTED`, `SOJ_HYPERVISOR_TIMEOUT`, `SOJ_USAGE`
   */
  static async prepare(
    { link, stream, ports }: IncomingOptions,
    arrival: Arrival,
    address: string,
  ): Promise<IncomingStream> {
    const flags = streamFlags(stream);
    const connection = await link.open();
    try {
      for (const port of triedPorts(ports)) {
        const uri = streamUri(address, port);
        const parameters = migrationParameters({
          ...{ uri, destinationName: arrival.name, destinationXml: arrival.xml },
          listenAddress: address,
        });
        const args = { parameters, cookie: arrival.cookie, flags };
        const prepared = await connection
          .call(domainMigratePrepare, args, { timeoutMs: prepareTimeoutMs })
          .catch((error: unknown) => {
            if (port === undefined || port === ports?.last || !isPortTaken(error)) throw error;
            return null;
          });
        if (prepared === null) continue;
        const listening = portOf(prepared.uri ?? uri);
        if (listening !== null) {
          return new IncomingStream(connection, arrival.name, flags, listening, prepared.cookie);
        }
        throw new SojournError(
          "SOJ_HYPERVISOR_REFUSED",
          `libvirt listens for a migration at ${(prepared.uri ?? uri).slice(0, 200)}, which names no port`,
        );
      }
      throw new SojournError("SOJ_HYPERVISOR_REFUSED", "no port for a migration is free", {
        retryable: true,
      });
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  private constructor(
    connection: LibvirtConnection,
    domainName: string,
    flags: number,
    port: number,
    cookie: Uint8Array,
  ) {
    this.#connection = connection;
    this.#domainName = domainName;
    this.#flags = flags;
    this.port = port;
    this.answer = { cookie: Buffer.from(cookie).toString("base64") };
  }

  /**
   * The last phase: the domain, loaded, is this host's, paused. The source's last cookie, which holds nothing but
   * statistics, is not waited for.
   * @throws LibvirtCallError when the stream did not load: libvirt has ended the domain; SojournError
   * `SOJ_LIBVIRT_CLOSED`, `SOJ_HYPERVISOR_TIMEOUT`
   */
  async finish(): Promise<void> {
    const args = {
      parameters: migrationParameters({ destinationName: this.#domainName }),
      cookie: new Uint8Array(0),
      flags: this.#flags,
      cancelled: 0,
    };
    await this.#connection.call(domainMigrateFinish, args, { timeoutMs: finishTimeoutMs });
    this.close();
  }

  close(): void {
    this.#connection.close();
  }
}

function triedPorts(ports: StreamPorts | null): (number | undefined)[] {
  if (ports === null) return [undefined];
  const count = Math.min(ports.last - ports.first + 1, mostPorts);
  return Array.from({ length: count }, (_, index) => ports.first + index);
}

/** In QEMU's own words, which libvirt passes on. */
function isPortTaken(error: unknown): boolean {
  return error instanceof LibvirtCallError && /Address already in use/i.test(error.description);
}
