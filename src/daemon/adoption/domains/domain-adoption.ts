import { readFile } from "node:fs/promises";
import type { HostHypervisors } from "../../../hypervisor/host-hypervisors.ts";
import type { Adoptions } from "../../../migrator/adoptions.ts";
import { definitionText } from "../../../migrator/guest-definitions.ts";
import { preconditionError } from "../../../platform/errors.ts";
import type { Logger } from "../../../platform/log.ts";
import type { PeerCaller, ProcedureHandlers } from "../../../platform/procedures.ts";
import type { DaemonConfig } from "../../config.ts";
import type { baseProcedures } from "../../procedures.ts";
import type { AdoptionCheck, AdoptionRequest, AdoptionResult } from "../schemas.ts";
import { checkDomain } from "./checks.ts";
import { lookHere } from "./look-here.ts";
import { openLibvirt } from "./open-libvirt.ts";
import type { domainProcedures } from "./procedures.ts";
import { type DomainProposal, proposeDomain } from "./propose.ts";

export interface DomainAdoptionOptions {
  config: DaemonConfig;
  adoptions: Adoptions;
  hypervisor: Pick<HostHypervisors, "adoptDomain" | "capabilities">;
  peer: (host: string) => PeerCaller<typeof baseProcedures & typeof domainProcedures>;
  /** While it says yes, nobody's checks are made. */
  isGuestStanding: () => boolean;
  logger: Logger;
}

/** A proposal with what speaks for and against it. */
export interface JudgedDomain {
  result: AdoptionResult;
  takeIn: () => Promise<void>;
}

/** Makes guests of libvirt's domains that run already, and tells other hosts what would become of theirs here. */
export class DomainAdoption {
  readonly #options: DomainAdoptionOptions;

  constructor(options: DomainAdoptionOptions) {
    this.#options = options;
  }

  handlers(): ProcedureHandlers<typeof domainProcedures> {
    return {
      "expect-domain": async (needs) => {
        const { config, isGuestStanding, logger } = this.#options;
        await using connection = await openLibvirt(config, logger);
        if (!isGuestStanding()) return await lookHere(connection, needs);
        throw preconditionError("SOJ_DOCTOR_BUSY", "a guest stands: nothing is checked now", {
          retryable: true,
        });
      },
    };
  }

  /** What would be made of a domain; changes nothing. @throws as `proposeDomain`; `SOJ_LIBVIRT_DISABLED` */
  async judge(request: AdoptionRequest): Promise<JudgedDomain> {
    const { config, hypervisor, peer, logger } = this.#options;
    await using connection = await openLibvirt(config, logger);
    const proposal = await proposeDomain(request, connection, config);
    const checks = await checkDomain(proposal, {
      ...{ config, connection, peer },
      wanted: request.to ?? null,
      capabilities: () => hypervisor.capabilities("libvirt"),
    });
    const result = await resultOf(proposal, checks, connection.path);
    return { result, takeIn: () => this.#takeIn(proposal) };
  }

  async #takeIn({ definition, examined, tap }: DomainProposal): Promise<void> {
    const { adoptions, hypervisor, logger } = this.#options;
    const { uuid } = examined.domain;
    await adoptions.takeIn(definition, tap, () => hypervisor.adoptDomain({ definition, uuid }));
    logger.info({ guest: definition.name, uuid, tap }, "guest of libvirt's adopted");
  }
}

async function resultOf(
  { definition, examined, tap, bridge }: DomainProposal,
  checks: AdoptionCheck[],
  monitor: string,
): Promise<AdoptionResult> {
  return {
    type: "adoption",
    guest: definition.name,
    adopted: false,
    possible: checks.every(({ result }) => result !== "fail"),
    pid: await pidOf(definition.name),
    monitor,
    ...{ tap, bridge, domain: examined.domain.uuid },
    definition: definitionText(definition),
    checks,
  };
}

/** As libvirt writes it down; 0 where it does not. The name is a checked one. */
async function pidOf(name: string): Promise<number> {
  const text = await readFile(`/run/libvirt/qemu/${name}.pid`, "utf8").catch(() => "");
  return /^[1-9][0-9]{0,9}\s*$/.test(text) ? Number(text) : 0;
}
