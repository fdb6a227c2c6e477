import { waitAtMost } from "../../../platform/waiting.ts";
import type { CallOptions } from "../rpc/calls.ts";
import type { Procedure } from "../rpc/procedure.ts";
import { domainDestroy, domainGetState } from "../rpc/procedures/domains.ts";
import { domainGetJobStats } from "../rpc/procedures/jobs.ts";
import type { Domain } from "../rpc/xdr/domain.ts";
import { goneError, isGone, isInvalidNow, isNoDomain } from "./errors.ts";
import { type JobStatistics, readJobStatistics } from "./job-statistics.ts";
import type { LibvirtLink } from "./link.ts";
import type { DomainStateReply } from "./run-state.ts";

/** How long libvirt may take to end a QEMU: SIGTERM, then SIGKILL. */
const destroyTimeoutMs = 30_000;
/** And to tell of its end. */
export const endNoticeMs = 3_000;

export interface DomainHandleEnds {
  /** Its process has ended. */
  hasEnded: () => boolean;
  /** libvirt does not know it any more. */
  onGone: () => void;
}

/** One domain, and the connection over which libvirt is asked about it. */
export class DomainHandle {
  /** libvirt goes by the UUID. */
  readonly domain: Domain;
  readonly guest: string;
  readonly link: LibvirtLink;
  readonly #told: DomainHandleEnds;

  constructor(
    link: LibvirtLink,
    identity: { guest: string; name: string; uuid: string },
    told: DomainHandleEnds,
  ) {
    this.link = link;
    this.guest = identity.guest;
    this.domain = { name: identity.name, uuid: identity.uuid, id: -1 };
    this.#told = told;
  }

  /** @throws as `LibvirtLink.call`; `SOJ_HYPERVISOR_GONE` when libvirt does not know the domain */
  async call<More extends object, Reply>(
    procedure: Procedure<{ readonly domain: Domain } & More, Reply>,
    more: More,
    options?: CallOptions,
  ): Promise<Reply> {
    // libvirt may run another domain of this UUID by then.
    if (this.#told.hasEnded()) throw goneError(this.guest);
    try {
      return await this.link.call(procedure, { domain: this.domain, ...more }, options);
    } catch (error) {
      if (!isNoDomain(error)) throw error;
      this.#told.onGone();
      throw goneError(this.guest, error);
    }
  }

  async state(): Promise<DomainStateReply> {
    return await this.call(domainGetState, { flags: 0 });
  }

  /** Of the job that is under way. */
  async job(): Promise<JobStatistics> {
    return readJobStatistics(await this.call(domainGetJobStats, { flags: 0 }));
  }

  /** Ends its QEMU; nothing when it does not run any more. @param ended resolves when libvirt has told so. */
  async destroy(ended: Promise<void>): Promise<void> {
    try {
      await this.call(domainDestroy, {}, { timeoutMs: destroyTimeoutMs });
      await waitAtMost(endNoticeMs, ended);
    } catch (error) {
      if (!isGone(error) && !isInvalidNow(error)) throw error;
    }
  }
}
