import { type DomainFacts, readDomain } from "../../hypervisor/libvirt/domain-xml/read-domain.ts";
import { rewriteDomain } from "../../hypervisor/libvirt/domain-xml/rewrite.ts";
import type { Destinations } from "../../migrator/destinations.ts";
import { startRefusal } from "../../migrator/followed-start.ts";
import type { HostContext } from "../../migrator/host-context.ts";
import { attachmentOf } from "../../migrator/network.ts";
import { asSojournError } from "../../platform/errors.ts";
import type { PeerCaller } from "../../platform/procedures.ts";
import type { followProcedures } from "./procedures.ts";
import {
  type LibvirtHookAnswer,
  type LibvirtHookRequest,
  type LibvirtHookServices,
  proceed,
  refuse,
} from "./schemas.ts";

type Peer = PeerCaller<typeof followProcedures>;

export interface LibvirtHooksOptions {
  context: HostContext;
  peers: readonly Peer[];
  destinations: Pick<Destinations, "isArriving" | "isFollowing">;
}

type Domain = Pick<DomainFacts, "name" | "uuid">;

/**
 * Answers libvirt's hooks. libvirt holds the domain meanwhile: nothing here may ask this host's libvirt anything. What
 * cannot be understood is none of Sojourn's business.
 */
export class LibvirtHooks {
  readonly #options: LibvirtHooksOptions;

  constructor(options: LibvirtHooksOptions) {
    this.#options = options;
  }

  readonly services: LibvirtHookServices = {
    answerLibvirtHook: (request) => this.#answer(request),
  };

  async #answer({
    operation,
    domain: name,
    description,
  }: LibvirtHookRequest): Promise<LibvirtHookAnswer> {
    const { logger } = this.#options.context;
    let domain: DomainFacts;
    try {
      domain = readDomain(description);
    } catch (error) {
      logger.warn(
        { domain: name, err: asSojournError(error) },
        "a hook's domain is not understood",
      );
      return proceed;
    }
    if (operation === "prepare") return this.#beforeStart(domain);
    return await this.#beforeArrival(domain, description);
  }

  #beforeStart(domain: DomainFacts): LibvirtHookAnswer {
    const { host, guests, records, journal, logger } = this.#options.context;
    const { name } = domain;
    const record = records.get(name);
    const tap = record?.hosting ? attachmentOf(host, record).tap : null;
    const reason = startRefusal({
      host: host.name,
      record,
      isSameDomain: this.#isGuest(domain),
      isArriving: this.#options.destinations.isArriving(name),
      isOnArrivalTap: domain.nics.some(({ device }) => device !== null && device === tap),
      isHeld: journal.isHeld(name),
      isAlive: guests.instance(name)?.isAlive() ?? false,
    });
    if (reason === null) return proceed;
    logger.warn({ guest: name, reason }, "libvirt was kept from starting the guest");
    return refuse(reason);
  }

  async #beforeArrival(domain: Domain, description: string): Promise<LibvirtHookAnswer> {
    const { context, destinations } = this.#options;
    const { name: guest, uuid } = domain;
    const isOwn = destinations.isArriving(guest) && !destinations.isFollowing(guest);
    if (isOwn || context.domains === undefined) return proceed;
    const source = await this.#hostOf(domain);
    if (source === null) return proceed;
    try {
      const { id } = await source.call("follow-guest", { guest, uuid });
      context.logger.info({ migration: id, guest, from: source.peer }, "libvirt brings a guest");
      return { ...proceed, description: this.#onOurTap(guest, description) };
    } catch (error) {
      const { message, hint } = asSojournError(error);
      context.logger.warn({ guest, from: source.peer, err: error }, "libvirt's migration refused");
      return refuse([message, hint ?? ""].join("; ").replace(/; $/, ""));
    }
  }

  /** The peer where the domain runs as a guest; null where it is none of theirs, or they do not answer soon. */
  async #hostOf({ name: guest, uuid }: Domain): Promise<Peer | null> {
    const answers = this.#options.peers.map(async (peer) => {
      const { hosts } = await peer.call("hosts-guest", { guest, uuid });
      if (!hosts) throw new Error(`${guest} is no guest at ${peer.peer}`);
      return peer;
    });
    return await Promise.any(answers).catch(() => null);
  }

  #onOurTap(guest: string, description: string): string {
    const { host, records } = this.#options.context;
    const record = records.get(guest);
    const mac = record?.definition.nics[0]?.mac;
    if (!record?.hosting || mac === undefined) throw new Error(`${guest} is not expected here`);
    return rewriteDomain(description, {
      nics: [{ mac, tapName: attachmentOf(host, record).tap }],
    });
  }

  /** The domain is a guest that this host knows, by its name and its UUID. */
  #isGuest({ name, uuid }: Domain): boolean {
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
