import { asSojournError, preconditionError, type SojournError } from "../platform/errors.ts";
import type { GuestDefinition } from "./definition.ts";
import type {
  AdoptingHypervisor,
  GuestInstance,
  HypervisorCapabilities,
  HypervisorKind,
  NicAttachment,
  RunningProcess,
  StreamOffer,
} from "./hypervisor.ts";
import type { AdoptedDomain, LibvirtHypervisor } from "./libvirt/driver/libvirt-hypervisor.ts";

export interface HostHypervisorsOptions {
  /** The host's name. */
  host: string;
  qemu: AdoptingHypervisor;
  /** Null where libvirt has no guests of this host's. */
  libvirt: LibvirtHypervisor | null;
  /** False where it only keeps the guests that it has, until they end or leave. */
  takesDomains: boolean;
}

/** What runs a host's guests: libvirt those whose definition says so, QEMU by itself the others. */
export class HostHypervisors implements AdoptingHypervisor {
  readonly #options: HostHypervisorsOptions;

  constructor(options: HostHypervisorsOptions) {
    this.#options = options;
  }

  /** @throws SojournError `SOJ_LIBVIRT_DISABLED`, `SOJ_LIBVIRT_UNREACHABLE`; for a guest that is to move it names the host */
  async capabilities(kind?: HypervisorKind): Promise<HypervisorCapabilities> {
    const { host, qemu, libvirt } = this.#options;
    if (kind === undefined) return await qemu.capabilities();
    if (libvirt === null) throw libvirtDisabledError(host);
    return await libvirt.capabilities().catch((error: unknown) => {
      throw unreachableAt(host, error);
    });
  }

  async start(definition: GuestDefinition, nics: readonly NicAttachment[]): Promise<GuestInstance> {
    return await this.#of(definition).start(definition, nics);
  }

  async startIncoming(
    definition: GuestDefinition,
    nics: readonly NicAttachment[],
    offer?: StreamOffer,
  ): Promise<GuestInstance> {
    return await this.#of(definition).startIncoming(definition, nics, offer);
  }

  async findInstances(): Promise<GuestInstance[]> {
    const { qemu, libvirt } = this.#options;
    const found = await Promise.all([qemu.findInstances(), libvirt?.findInstances() ?? []]);
    return found.flat();
  }

  adopt(process: RunningProcess): Promise<GuestInstance> {
    return this.#options.qemu.adopt(process);
  }

  /** The same for a domain of libvirt's. @throws as `LibvirtHypervisor.adoptDomain`; `SOJ_LIBVIRT_DISABLED` */
  async adoptDomain(domain: AdoptedDomain): Promise<GuestInstance> {
    return await this.#libvirt().adoptDomain(domain);
  }

  async letGo(instance: GuestInstance): Promise<void> {
    const { qemu, libvirt } = this.#options;
    const owner = instance.definition.hypervisor === "libvirt" ? libvirt : qemu;
    await owner?.letGo(instance);
  }

  rehearse(definition: GuestDefinition): Promise<string[]> {
    return this.#options.qemu.rehearse(definition);
  }

  #of(definition: GuestDefinition) {
    return definition.hypervisor === "libvirt" ? this.#libvirt() : this.#options.qemu;
  }

  /** @throws SojournError `SOJ_LIBVIRT_DISABLED` */
  #libvirt(): LibvirtHypervisor {
    const { host, libvirt, takesDomains } = this.#options;
    if (libvirt !== null && takesDomains) return libvirt;
    throw libvirtDisabledError(host);
  }
}

/** Who asks may be another host, or have asked two: `host` is the one whose libvirt is not there. */
function unreachableAt(host: string, thrown: unknown): SojournError {
  const error = asSojournError(thrown);
  if (error.code !== "SOJ_HYPERVISOR_DISCONNECTED") return error;
  return preconditionError("SOJ_LIBVIRT_UNREACHABLE", `at ${host} ${error.message}`, {
    cause: error,
    retryable: true,
    hint: `is libvirtd or virtqemud running on ${host}? Guests go on without it`,
  });
}

/** A guest of libvirt's, on a host whose configuration has no `[libvirt]`. Nothing was changed. */
export function libvirtDisabledError(host: string): SojournError {
  return preconditionError("SOJ_LIBVIRT_DISABLED", `${host} takes in no guests of libvirt's`, {
    hint: "write [libvirt] into its sojourn.toml, and restart its daemon",
  });
}
