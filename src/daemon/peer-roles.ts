import { join } from "node:path";
import { z } from "zod";
import { type HostClaim, hostRoles } from "../migrator/host-role.ts";
import type { Logger } from "../platform/log.ts";
import { diskStorage, type Storage } from "../platform/storage.ts";

const rolesSchema = z.record(
  z.string(),
  z.strictObject({ role: z.enum(hostRoles), guestSubnets: z.array(z.string()).max(256) }),
);

/**
 * What peers have last said of themselves, also across restarts: one that is silent now may be an anchor that knows where a
 * guest is.
 */
export class PeerRoles {
  readonly #path: string;
  readonly #storage: Storage;
  readonly #logger: Logger;
  readonly #roles: Map<string, HostClaim>;

  constructor(folder: string, logger: Logger, storage: Storage = diskStorage) {
    this.#path = join(folder, "peer-roles.json");
    this.#storage = storage;
    this.#logger = logger;
    this.#roles = new Map(Object.entries(this.#stored()));
  }

  /** Null for one that has never answered, as far as is known. */
  of(peer: string): HostClaim | null {
    return this.#roles.get(peer) ?? null;
  }

  /** Durable when it returns, where it is new and the disk takes it. Never throws: it is known until a restart then. */
  remember(answers: readonly ({ host: string } & HostClaim)[]): void {
    const before = JSON.stringify([...this.#roles]);
    for (const { host, role, guestSubnets } of answers)
      this.#roles.set(host, { role, guestSubnets });
    if (JSON.stringify([...this.#roles]) === before) return;
    const text = JSON.stringify(Object.fromEntries(this.#roles), null, 2);
    try {
      this.#storage.replace(this.#path, `${text}\n`);
    } catch (error) {
      this.#logger.warn({ err: error, path: this.#path }, "what peers are could not be stored");
    }
  }

  /** A file that cannot be read is as none: then nothing is known of anybody who is silent. */
  #stored(): Record<string, HostClaim> {
    const stored = this.#storage.read(this.#path);
    if (stored === null) return {};
    try {
      return rolesSchema.parse(JSON.parse(String(stored)));
    } catch (error) {
      this.#logger.warn({ err: error, path: this.#path }, "what peers are has to be asked anew");
      return {};
    }
  }
}
