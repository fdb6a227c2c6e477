import type { Logger } from "../../../platform/log.ts";
import type { GuestDefinition } from "../../definition.ts";
import type {
  GuestInstance,
  Hypervisor,
  HypervisorCapabilities,
  RunState,
} from "../../hypervisor.ts";
import type { DomainFacts } from "../domain-xml/read-domain.ts";

/** How streams go, both ways; the same at both ends. */
export interface StreamOptions {
  /** `VIR_MIGRATE_TLS`: with libvirt's own certificates (`migrate_tls_x509_cert_dir` of qemu.conf). */
  tls: boolean;
  /** The source slows its guest down where the stream does not keep up (`VIR_MIGRATE_AUTO_CONVERGE`). */
  autoConverge?: boolean;
  /** The stream may be switched to post-copy later (`VIR_MIGRATE_POSTCOPY`). */
  allowsPostCopy?: boolean;
}

/** Ports, both included. */
export interface StreamPorts {
  first: number;
  last: number;
}

export interface LibvirtHypervisorOptions {
  /** Holds `libvirt/NAME.json` of each guest; survives the daemon, not the machine. */
  runDir: string;
  logger: Logger;
  stream: StreamOptions;
  /** Where guests arrive, each on one port; null for those of libvirt's own configuration. */
  ports?: StreamPorts | null;
  /** Tried in this order; without it the system's. */
  sockets?: readonly string[];
}

export interface LibvirtCapabilities extends HypervisorCapabilities {
  /** `MAJOR.MINOR.RELEASE`; `version` is QEMU's. */
  libvirtVersion: string;
}

/** Why libvirt says that a domain ended (`virDomainEventStoppedDetailType`); `unknown` when nobody was told. */
export type DomainEnd =
  | "shutdown"
  | "destroyed"
  | "crashed"
  | "migrated"
  | "saved"
  | "failed"
  | "unknown";

/** A domain that runs, or is paused, as libvirt knows it now. */
export interface RunningDomain {
  name: string;
  /** Lower case. */
  uuid: string;
  state: RunState;
  /** It has a definition that stays when it ends. */
  isPersistent: boolean;
  /** Of its XML as it runs; null where that could not be read. */
  facts: DomainFacts | null;
}

/** A domain that libvirt has just started, whoever asked it to. */
export interface StartedDomain {
  name: string;
  uuid: string;
  /** How it came to run (`virDomainEventStartedDetailType`); `found` when a lost connection is there again. */
  how: "booted" | "migrated" | "restored" | "from-snapshot" | "other" | "found";
}

/** A domain that becomes a guest while it runs. */
export interface AdoptedDomain {
  definition: GuestDefinition;
  uuid: string;
}

/** A guest that is a domain of libvirt's. */
export interface LibvirtInstance extends GuestInstance {
  /** The domain's. */
  readonly uuid: string;
  /** Null while it lives. */
  readonly whyEnded: DomainEnd | null;
  /** A stream of ours is under way: what QEMU tells of it is not told of as it is (`sealsStream`). */
  readonly hasOwnStream: boolean;
}

/**
 * Guests that are domains of this machine's libvirt. libvirt may be restarted at any time: until it answers again
 * calls fail with `SOJ_HYPERVISOR_DISCONNECTED`, and nothing is concluded from that.
 */
export interface LibvirtHypervisor extends Hypervisor, AsyncDisposable {
  capabilities(): Promise<LibvirtCapabilities>;
  /** Whether libvirt answers now. */
  readonly isConnected: boolean;
  /**
   * Takes hold of a domain that runs, on the taps that it has.
   * @throws SojournError `SOJ_HYPERVISOR_GONE` when it does not run, `SOJ_HYPERVISOR_WRONG_GUEST` when it has another
   * name, UUID or other NICs than the definition; `SOJ_HYPERVISOR_DISCONNECTED`
   */
  adoptDomain(domain: AdoptedDomain): Promise<LibvirtInstance>;
  /** Forgets an instance; its domain goes on as it is. */
  letGo(instance: GuestInstance): Promise<void>;
  /**
   * Domains that run or are paused, guests or not, as of now.
   * @throws SojournError `SOJ_HYPERVISOR_DISCONNECTED`, `SOJ_HYPERVISOR_TIMEOUT`
   */
  domains(): Promise<RunningDomain[]>;
  /** Calls back for every domain that starts to run and is no guest's process yet, until the result is called. */
  onDomainStarted(listener: (domain: StartedDomain) => void): () => void;
}
