import type { HostHypervisors } from "../../hypervisor/host-hypervisors.ts";
import { endLeftRehearsals } from "../../hypervisor/qemu/adoption/rehearsal.ts";
import type { Adoptions } from "../../migrator/adoptions.ts";
import { definitionText } from "../../migrator/guest-definitions.ts";
import type { Guests } from "../../migrator/guests.ts";
import { preconditionError, usageError } from "../../platform/errors.ts";
import { AsyncLock } from "../../platform/lock.ts";
import type { Logger } from "../../platform/log.ts";
import type { PeerCaller, ProcedureHandlers } from "../../platform/procedures.ts";
import type { DaemonConfig } from "../config.ts";
import type { baseProcedures } from "../procedures.ts";
import { checkProposal } from "./checks.ts";
import { DomainAdoption } from "./domains/domain-adoption.ts";
import type { adoptionProcedures } from "./procedures.ts";
import { type Proposal, propose } from "./propose.ts";
import { rehearseHere } from "./rehearse-here.ts";
import type {
  AdoptionCheck,
  AdoptionRequest,
  AdoptionResult,
  AdoptionServices,
  Release,
} from "./schemas.ts";

export interface AdoptionOptions {
  config: DaemonConfig;
  guests: Guests;
  adoptions: Adoptions;
  hypervisor: HostHypervisors;
  peer: (host: string) => PeerCaller<typeof baseProcedures & typeof adoptionProcedures>;
  /** While it says yes, no program is started for anybody's checks. */
  isGuestStanding: () => boolean;
  logger: Logger;
}

/** Makes guests of QEMUs and domains that run already, and tells other hosts what would become of theirs here. */
export class GuestAdoption {
  readonly #options: AdoptionOptions;
  /** One at a time: each starts a QEMU for a moment. */
  readonly #rehearsals = new AsyncLock();
  readonly #adoptions = new AsyncLock();
  readonly #domains: DomainAdoption;

  constructor(options: AdoptionOptions) {
    this.#options = options;
    this.#domains = new DomainAdoption(options);
  }

  readonly services: AdoptionServices = {
    adoptGuest: (request) => this.#adoptions.run(() => this.#adopt(request)),
    releaseGuest: (name) => this.#adoptions.run(() => this.#release(name)),
  };

  handlers(): ProcedureHandlers<typeof adoptionProcedures> {
    return {
      "rehearse-guest": ({ definition }) => this.#rehearse(definition),
      ...this.#domains.handlers(),
    };
  }

  /** After the guests' processes were found again: completes what a daemon that died had begun. */
  async recover(): Promise<void> {
    this.#options.adoptions.complete();
    await endLeftRehearsals(this.#options.config.paths.run);
  }

  async #adopt(request: AdoptionRequest): Promise<AdoptionResult> {
    const { name, libvirt, qmp, pid } = request;
    if (libvirt !== undefined && (qmp !== undefined || pid !== undefined)) {
      throw usageError("a domain of libvirt's has no monitor or process of its own to name");
    }
    this.#options.adoptions.refuseKnown(name);
    const judged =
      libvirt === undefined ? await this.#judge(request) : await this.#domains.judge(request);
    const { result, takeIn } = judged;
    if (request.dry_run === true) return result;
    if (!result.possible) throw refused(result);
    await takeIn();
    return { ...result, adopted: true };
  }

  async #judge(request: AdoptionRequest) {
    const { config, guests, hypervisor, logger } = this.#options;
    const proposal = await propose(request, { config, instances: guests.instances(), logger });
    const checks = await checkProposal(proposal, {
      config,
      peer: this.#options.peer,
      wanted: request.to ?? null,
      rehearse: (definition) => this.#rehearse(definition),
      capabilities: () => hypervisor.capabilities(),
    });
    return { result: resultOf(proposal, checks), takeIn: () => this.#takeIn(proposal) };
  }

  async #takeIn({ definition, examined, tap }: Proposal): Promise<void> {
    const { adoptions, hypervisor, logger } = this.#options;
    const { identity, commandLineDigest } = examined.process;
    await adoptions.takeIn(definition, tap, () =>
      hypervisor.adopt({
        definition,
        nics: [{ tapName: tap }],
        ...identity,
        commandLineDigest,
        monitor: examined.socket,
        ownName: examined.monitor.name,
      }),
    );
    logger.info({ guest: definition.name, pid: identity.pid, tap }, "guest adopted");
  }

  async #release(name: string): Promise<Release> {
    const { adoptions, hypervisor, logger } = this.#options;
    let pid = 0;
    await adoptions.letGo(name, async (instance) => {
      pid = instance.pid;
      await hypervisor.letGo(instance);
    });
    logger.info({ guest: name, pid }, "guest released");
    return { guest: name, released: true, pid };
  }

  #rehearse(definition: Proposal["definition"]) {
    const { hypervisor, isGuestStanding } = this.#options;
    return this.#rehearsals.run(() => {
      if (!isGuestStanding()) return rehearseHere(hypervisor, definition);
      throw preconditionError("SOJ_DOCTOR_BUSY", "a guest stands: nothing is checked now", {
        retryable: true,
      });
    });
  }
}

function resultOf(proposal: Proposal, checks: AdoptionCheck[]): AdoptionResult {
  const { definition, examined, tap, bridge } = proposal;
  return {
    type: "adoption",
    guest: definition.name,
    adopted: false,
    possible: checks.every(({ result }) => result !== "fail"),
    pid: examined.process.identity.pid,
    monitor: examined.socket,
    tap,
    bridge,
    definition: definitionText(definition),
    checks,
  };
}

function refused({ guest, checks }: AdoptionResult) {
  const reasons = checks.filter(({ result }) => result === "fail");
  const shown = reasons.slice(0, 12).map(({ host, detail }) => `${host}: ${detail}`);
  if (reasons.length > shown.length) shown.push(`and ${reasons.length - shown.length} more`);
  return preconditionError(
    "SOJ_ADOPTION_REFUSED",
    `${guest} cannot be adopted:\n${shown.join("\n")}`,
    { guestState: "untouched", hint: "see all of it: sojourn guest adopt … --dry-run" },
  );
}
