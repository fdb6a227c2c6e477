import { firstAddress } from "../../hypervisor/nic-addresses.ts";
import { preconditionError } from "../../platform/errors.ts";
import { refuseTwin } from "../home-record.ts";
import type { HostContext } from "../host-context.ts";
import { guestNetworkOf } from "../network.ts";
import type { GuestRecord, Home } from "../records.ts";
import { unknownHandover } from "./errors.ts";
import type { HandedGuest } from "./procedures.ts";
import { type HandoverStore, isUnderWay } from "./state.ts";

type Context = Pick<HostContext, "host" | "records" | "network" | "journal" | "logger"> & {
  store: HandoverStore;
};

/** What an anchor does that gets another's guests: each step may be asked for again, also after a restart. */
export class HandoverReceiver {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  /** @throws SojournError `SOJ_NOT_ANCHOR`, `SOJ_GUEST_BUSY`, `SOJ_GUEST_ADDRESS` for a guest that cannot be had. */
  check(request: HandedGuest, peer: string): void {
    const { host, records, journal, store } = this.#context;
    const { id, guest, definition } = request;
    if (host.role !== "anchor") {
      const hint = "--to names a host whose role is anchor: sojourn host ls";
      throw preconditionError("SOJ_NOT_ANCHOR", `${host.name} is no anchor`, { hint });
    }
    if (isUnderWay(store.current)) {
      const message = `${host.name} hands guests' addresses over itself, to ${store.current.to}`;
      throw preconditionError("SOJ_HANDOVER_BUSY", message, { retryable: true });
    }
    journal.refuseHeld(guest);
    const known = records.get(guest);
    const isSame = known?.redirect?.handover?.id === id && known.redirect.handover.anchor === peer;
    if (known !== undefined && !isSame) {
      const message = `${host.name} knows a guest ${guest} already`;
      throw preconditionError("SOJ_GUEST_BUSY", message, { hint: `sojourn guest show ${guest}` });
    }
    const address = firstAddress(definition);
    const network = address === undefined ? undefined : guestNetworkOf(host, address);
    if (
      (network !== undefined && address === network.gateway) ||
      address === host.underlayAddress
    ) {
      const message = `${address ?? "(none)"} is a gateway's or a host's, and no guest's`;
      throw preconditionError("SOJ_GUEST_ADDRESS", message);
    }
    if (network === undefined) {
      const message = `${address ?? "(none)"} is in none of ${host.name}'s guest networks`;
      const hint = "give both anchors the same [[guest_networks]]";
      throw preconditionError("SOJ_GUEST_ADDRESS", message, { hint });
    }
    refuseTwin(
      definition,
      records.all().filter((record) => record.guest !== guest),
    );
  }

  /** The network of the guest is made, but for what others on its LAN would notice. */
  async receive(request: HandedGuest, peer: string): Promise<{ home: Home }> {
    const { host, network, records } = this.#context;
    using _held = await network.hold();
    this.check(request, peer);
    const { id, guest, definition, epoch } = request;
    const home = {
      host: host.name,
      underlayAddress: host.underlayAddress,
      gatewayMac: request.gateway_mac,
    };
    if (records.get(guest)?.redirect?.handover?.part === "active") return { home };
    const tunnel = {
      kind: request.tunnel_kind,
      localAddress: host.underlayAddress,
      remoteAddress: request.underlay_address,
    };
    const handover = { id, anchor: peer, part: "receiving" } as const;
    await network.changeWhileHeld({
      ...{ guest, definition, epoch, home },
      hosting: null,
      redirect: { host: request.host, tunnel, handover },
      outgoing: null,
      migration: null,
    });
    return { home };
  }

  /**
   * Answers for these guests from now on; forgets the others.
   * @throws SojournError `SOJ_HANDOVER_UNKNOWN` when it has none of them.
   */
  async activate(id: string, guests: readonly string[], peer: string): Promise<void> {
    const { host, network, store } = this.#context;
    using _held = await network.hold();
    const known = this.#ofHandover(id, peer);
    const missing = guests.filter((name) => !known.some(({ guest }) => guest === name));
    if (missing.length > 0 && known.length === 0) throw unknownHandover(host.name, id);
    for (const record of known) {
      const { guest, redirect } = record;
      if (!guests.includes(guest)) await network.forgetWhileHeld(guest);
      else if (redirect.handover?.part === "receiving") {
        const handover = { ...redirect.handover, part: "active" } as const;
        await network.changeWhileHeld({ ...record, redirect: { ...redirect, handover } });
      }
    }
    // This anchor had handed its guests over before: it serves again.
    if (known.length > 0) store.clear();
    this.#context.logger.info({ handover: id, from: peer, guests }, "answers for these guests now");
  }

  /** @throws SojournError `SOJ_HANDOVER_ACTIVE` once this host answers for one of them. */
  async drop(id: string, peer: string): Promise<void> {
    const { host, network } = this.#context;
    using _held = await network.hold();
    const known = this.#ofHandover(id, peer);
    if (known.some(({ redirect }) => redirect.handover?.part === "active")) {
      const message = `${host.name} answers for guests of handover ${id} already`;
      throw preconditionError("SOJ_HANDOVER_ACTIVE", message);
    }
    for (const { guest } of known) await network.forgetWhileHeld(guest);
  }

  async finish(id: string, peer: string): Promise<void> {
    const { network } = this.#context;
    using _held = await network.hold();
    for (const record of this.#ofHandover(id, peer)) {
      const { handover: _over, ...redirect } = record.redirect;
      await network.changeWhileHeld({ ...record, redirect });
    }
  }

  #ofHandover(id: string, peer: string) {
    return this.#context.records.all().flatMap((record) => {
      const { redirect } = record;
      const { handover } = redirect ?? {};
      if (redirect === null || handover?.id !== id || handover.anchor !== peer) return [];
      return [{ ...record, redirect } satisfies GuestRecord];
    });
  }
}
