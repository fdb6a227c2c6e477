import type { GuestDefinition } from "../hypervisor/definition.ts";
import { firstAddress } from "../hypervisor/nic-addresses.ts";
import { hasCode, preconditionError } from "../platform/errors.ts";
import { isOwnAddress } from "../platform/own-addresses.ts";
import type { PeerCaller } from "../platform/procedures.ts";
import type { TunnelKind } from "../tunnels/tunnel.ts";
import type { Attachment, anchorProcedures } from "./anchor-procedures.ts";
import { isWorthRepeating } from "./guest-ended.ts";
import { refuseTwin } from "./home-record.ts";
import type { HostContext } from "./host-context.ts";
import { type HostClaim, isAnchorOf } from "./host-role.ts";
import { freeTableIndex } from "./incoming-record.ts";
import type { migrationProcedures } from "./procedures.ts";
import type { GuestRecord } from "./records.ts";

type Peer = PeerCaller<typeof anchorProcedures & Pick<typeof migrationProcedures, "guest-ended">>;

/** What peers say of themselves; those that do not answer are named. */
export interface PeerGreetings {
  answered: readonly ({ host: string } & HostClaim)[];
  silent: readonly {
    host: string;
    /** What it last said; null for one that has never answered. */
    known: HostClaim | null;
  }[];
}

export interface AnchorsContext extends Pick<HostContext, "host" | "records" | "network"> {
  journal: Pick<HostContext["journal"], "highestEpoch">;
  greetPeers: () => Promise<PeerGreetings>;
  peer: (host: string) => Peer;
  tunnelKind: () => Promise<TunnelKind>;
}

/** How guests with addresses of anchors are started at this host. */
export class Anchors {
  readonly #context: AnchorsContext;

  constructor(context: AnchorsContext) {
    this.#context = context;
  }

  /**
   * Has the anchor that owns the guest's address send its traffic here, and makes this host's side of the network; both
   * are the guest's until its home is told of its end.
   * @returns the guest's record, stored.
   * @throws SojournError `SOJ_GUEST_ADDRESS` when no anchor that answers owns the address, or somebody has it;
   *   `SOJ_GUEST_BUSY` when an anchor knows the guest to be elsewhere; what the kernels refuse. Nothing stays then.
   */
  async place(definition: GuestDefinition): Promise<GuestRecord> {
    const { host, journal, network, records } = this.#context;
    const anchors = await this.#anchorsOf(definition);
    this.#refuseTaken(definition);
    const request = {
      guest: definition.name,
      definition,
      epoch: journal.highestEpoch(definition.name),
      underlay_address: host.underlayAddress,
      tunnel_kind: await this.#context.tunnelKind(),
    };
    for (const host of anchors) {
      if (anchors.length > 1) await this.#context.peer(host).call("attach-check", request);
    }
    const { home, epoch } = await this.#attach(anchors, request);
    try {
      using _held = await network.hold();
      this.#refuseTaken(definition);
      const record: GuestRecord = {
        ...{ guest: definition.name, definition, epoch, home },
        hosting: {
          stage: "running",
          tableIndex: freeTableIndex(records.all(), definition.name),
          homeTunnel: {
            kind: request.tunnel_kind,
            localAddress: host.underlayAddress,
            remoteAddress: home.underlayAddress,
          },
          sourceTunnel: null,
        },
        ...{ redirect: null, outgoing: null, migration: null },
      };
      await network.changeWhileHeld(record);
      return record;
    } catch (error) {
      await this.#release(definition.name, home.host);
      throw error;
    }
  }

  /** Takes back what `place` has done, for a guest that could not be started. */
  async undo({ guest, home }: GuestRecord): Promise<void> {
    await this.#context.network.forget(guest);
    await this.#release(guest, home.host);
  }

  /**
   * Of several anchors those that stand by say so. A clear refusal has changed nothing: to take it back could end what the
   * anchor does for the guest elsewhere.
   */
  async #attach(anchors: readonly string[], request: Attachment) {
    for (const [index, host] of anchors.entries()) {
      try {
        return await this.#context.peer(host).call("attach-guest", request);
      } catch (error) {
        const isStandby = hasCode(error, "SOJ_ANCHOR_STANDBY");
        if (!isStandby && isWorthRepeating(error)) await this.#release(request.guest, host);
        if (!isStandby || index === anchors.length - 1) throw error;
      }
    }
    throw new Error("no anchor");
  }

  /** An anchor that cannot be told asks by itself. */
  async #release(guest: string, anchor: string): Promise<void> {
    await this.#context
      .peer(anchor)
      .call("guest-ended", { guest })
      .catch(() => {});
  }

  /** Those of this host's peers that are one for the guest's address: one at least. */
  async #anchorsOf(definition: GuestDefinition): Promise<string[]> {
    const { host, greetPeers } = this.#context;
    const address = firstAddress(definition);
    const { answered, silent } = await greetPeers();
    const anchors = answered
      .filter((peer) => address !== undefined && isAnchorOf(peer, address))
      .map((peer) => peer.host);
    if (anchors.length > 0) {
      refuseUnasked(definition.name, address ?? "", silent);
      return anchors;
    }
    const unasked = silent.length === 0 ? "" : `, as far as its peers answer`;
    throw preconditionError(
      "SOJ_GUEST_ADDRESS",
      `${definition.name}'s address ${address ?? "(none)"} is in none of ${host.name}'s guest networks, and in no anchor's${unasked}`,
      {
        hint:
          silent.length === 0
            ? "give its first NIC an address of a [[guest_networks]] subnet, or of an anchor's among [peers]"
            : `these did not answer: ${silent.map(({ host }) => host).join(", ")}; sojourn host ls`,
      },
    );
  }

  #refuseTaken(definition: GuestDefinition): void {
    const { host, records } = this.#context;
    const others = records.all().filter(({ guest }) => guest !== definition.name);
    refuseTwin(definition, others);
    const address = firstAddress(definition) ?? "";
    if (address !== host.underlayAddress && !isOwnAddress(address)) return;
    throw preconditionError("SOJ_GUEST_ADDRESS", `${address} is ${host.name}'s own address`);
  }
}

/**
 * An anchor that is silent may know the guest to run elsewhere, which no other one does until it has handed it over.
 * @throws SojournError `SOJ_ANCHOR_SILENT`.
 */
function refuseUnasked(guest: string, address: string, silent: PeerGreetings["silent"]): void {
  const mayKnow = silent.filter(({ known }) => known === null || isAnchorOf(known, address));
  if (mayKnow.length === 0) return;
  const names = mayKnow.map(({ host }) => host).join(", ");
  throw preconditionError(
    "SOJ_ANCHOR_SILENT",
    `${names} may be an anchor of ${address} too, and does not answer: ${guest} might run behind it already`,
    {
      ...{ retryable: true, guestState: "untouched" },
      hint: `bring it back, or take it out of [peers] when it is gone for good and ${guest} runs nowhere`,
    },
  );
}
