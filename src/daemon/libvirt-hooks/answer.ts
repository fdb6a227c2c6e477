import { readDomain } from "../../hypervisor/libvirt/domain-xml/read-domain.ts";
import { startRefusal } from "../../migrator/followed-start.ts";
import type { HostContext } from "../../migrator/host-context.ts";
import { asSojournError } from "../../platform/errors.ts";
import {
  type LibvirtHookAnswer,
  type LibvirtHookRequest,
  type LibvirtHookServices,
  proceed,
  refuse,
} from "./schemas.ts";

export interface LibvirtHooksOptions {
  context: Pick<HostContext, "host" | "guests" | "records" | "journal" | "logger">;
  /** A migration brings the guest here, one of Sojourn's or one that it follows. */
  isArriving: (guest: string) => boolean;
}

/** A domain that libvirt speaks of in a hook. */
interface NamedDomain {
  name: string;
  uuid: string;
}

/**
 * Answers libvirt's hooks. libvirt holds the domain meanwhile: nothing here may ask libvirt anything. What cannot be
 * understood is none of Sojourn's business.
 */
export class LibvirtHooks implements LibvirtHookServices {
  readonly #options: LibvirtHooksOptions;

  constructor(options: LibvirtHooksOptions) {
    this.#options = options;
  }

  async answerLibvirtHook(request: LibvirtHookRequest): Promise<LibvirtHookAnswer> {
    const { logger } = this.#options.context;
    let domain: NamedDomain;
    try {
      domain = readDomain(request.description);
    } catch (error) {
      logger.warn({ domain: request.domain, err: asSojournError(error) }, "libvirt's hook");
      return proceed;
    }
    return this.#beforeStart(domain);
  }

  #beforeStart(domain: NamedDomain): LibvirtHookAnswer {
    const { host, guests, records, journal, logger } = this.#options.context;
    const { name } = domain;
    const record = records.get(name);
    const reason = startRefusal({
      host: host.name,
      record,
      isSameDomain: this.#isGuest(domain),
      isArriving: this.#options.isArriving(name),
      isHeld: journal.isHeld(name),
      isAlive: guests.instance(name)?.isAlive() ?? false,
    });
    if (reason === null) return proceed;
    logger.warn({ guest: name, reason }, "libvirt was kept from starting the guest");
    return refuse(reason);
  }

  /** The domain is a guest that this host knows, by its name and its UUID. */
  #isGuest({ name, uuid }: NamedDomain): boolean {
    const { guests, records } = this.#options.context;
    const definition = records.get(name)?.definition ?? definitionOf(guests, name);
    return definition?.hypervisor === "libvirt" && (definition.uuid ?? uuid) === uuid;
  }
}

function definitionOf(guests: HostContext["guests"], name: string) {
  try {
    return guests.definition(name);
  } catch {
    // No guest, or one whose definition nobody can read: none that was taken from libvirt and is away.
    return undefined;
  }
}
