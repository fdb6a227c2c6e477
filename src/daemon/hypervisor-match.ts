import type { GuestDefinition } from "../hypervisor/definition.ts";
import { preconditionError } from "../platform/errors.ts";

/** What a host says about where its guests run, and how they travel. */
export interface HypervisorFacts {
  host: string;
  version: string;
  accelerator: "kvm" | "tcg";
  /** Whether migration streams are protected by TLS. */
  streamTls: boolean;
}

/**
 * Whether a guest that runs here can go on there.
 * @throws SojournError `SOJ_ACCELERATOR_MISMATCH`: a guest's state under KVM means nothing to software emulation
 *   and the reverse; `SOJ_STREAM_TLS_MISMATCH`: no stream is sent in clear because the other side wants it so.
 */
export function checkHypervisorsMatch(
  definition: Pick<GuestDefinition, "name" | "accelerator" | "hypervisor">,
  source: HypervisorFacts,
  destination: HypervisorFacts,
): void {
  const wanted = definition.accelerator;
  const here = wanted === "auto" ? source.accelerator : wanted;
  // Software emulation can be had everywhere where a guest asks for it by name.
  const there = wanted === "tcg" ? wanted : destination.accelerator;
  if (here !== there) {
    throw preconditionError(
      "SOJ_ACCELERATOR_MISMATCH",
      `${definition.name} runs with ${here} on ${source.host}, ${destination.host} offers ${there}: its state does not fit there`,
      { hint: "migrate between hosts of one kind" },
    );
  }
  if (source.streamTls !== destination.streamTls) {
    const without = source.streamTls ? destination : source;
    throw preconditionError(
      "SOJ_STREAM_TLS_MISMATCH",
      `${without.host} has migration streams without TLS, the other host protects them`,
      { hint: `set tls under [${definition.hypervisor ?? "migration"}] alike on both hosts` },
    );
  }
}
