import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import { wallClockMs } from "../platform/clock.ts";
import { hasCode, preconditionError, type SojournError } from "../platform/errors.ts";
import type { PeerCaller, ProcedureHandlers } from "../platform/procedures.ts";
import type { TunnelKind, TunnelSpec } from "../tunnels/tunnel.ts";
import { askThroughBarrier } from "./barrier-question.ts";
import { refuseHandedOver } from "./handover/errors.ts";
import { HomeFollowUps } from "./home-follow-ups.ts";
import type { HostContext } from "./host-context.ts";
import { begunDrain } from "./kept-redirect.ts";
import { attachmentOf, redirectRoute } from "./network.ts";
import { type AwayRecord, openRedirect } from "./open-redirect.ts";
import type { migrationProcedures } from "./procedures.ts";
import type { Drain, Renumbering } from "./records.ts";
import { redirectCommand } from "./redirect-command.ts";
import type { repointProcedures } from "./repoint-procedures.ts";
import { epochAtHome, released, repointed, withNext } from "./repointing.ts";
import { beingMigrated } from "./retiring.ts";
import { isMoveOver } from "./third-home.ts";

export type HomeContext = Omit<HostContext, "homes" | "guests"> & {
  /** @throws SojournError when no such peer is configured. */
  peer(
    host: string,
  ): PeerCaller<
    Pick<typeof migrationProcedures, "migration-facts"> &
      Pick<typeof repointProcedures, "is-move-over">
  >;
  /** A peer's, by its own word. @throws SojournError when it does not answer. */
  underlayAddressOf(host: string): Promise<string>;
  /** A migration brings the guest here, from the first word of its source on. */
  isArriving(guest: string): boolean;
  /** How redirects of renumbered guests drain where no request says otherwise, and who sees to their names. */
  drainOf(guest: string): Omit<Renumbering, "renumbered">;
  /** This host carries the migration out, as its source. */
  isRunning(migration: string): boolean;
};

type Identity = { id: string; guest: string; epoch: number };
type RequestOf<Name extends keyof typeof repointProcedures> = z.output<
  (typeof repointProcedures)[Name]["request"]
>;
type PlanRequest = RequestOf<"plan-repoint">;
type PrepareRequest = RequestOf<"prepare-repoint">;
type RepointRequest = RequestOf<"repoint">;

/** What this host does as the home of guests that move between two other hosts: its route to the guest follows. */
export class HomeDuties implements Disposable {
  readonly #context: HomeContext;
  readonly #followUps: HomeFollowUps;

  constructor(context: HomeContext) {
    this.#context = context;
    this.#followUps = new HomeFollowUps(context);
  }

  /** Sees to what an earlier daemon left. */
  begin(): void {
    this.#followUps.begin();
  }

  /** The serving side of `repointProcedures`. */
  handlers(): ProcedureHandlers<typeof repointProcedures> {
    return {
      "plan-repoint": (request, { peer }) => this.#plan(request, peer),
      "prepare-repoint": (request, { peer }) => this.#prepare(request, peer),
      "confirm-repoint": async (request, { peer }) => this.#confirm(request, peer),
      "probe-repoint": (request, { peer }) => this.#probe(request, peer),
      repoint: (request, { peer }) => this.#repoint(request, peer),
      "is-move-over": async (request) => ({
        over: isMoveOver(this.#context, request),
        here: (this.#context.records.get(request.guest)?.hosting ?? null) !== null,
      }),
      "release-repoint": (request, { peer }) => this.#release(request, peer),
    };
  }

  [Symbol.dispose](): void {
    this.#followUps[Symbol.dispose]();
  }

  async #plan({ guest, to, tunnel_kind, renumber = false }: PlanRequest, peer: string) {
    const record = this.#leaving(guest, peer);
    const { flows, host, network } = this.#context;
    if (renumber && !(await flows.isTracking())) throw untrackedAtHome(host.name, guest);
    const tunnel = await this.#tunnelTo(to, tunnel_kind);
    const next = { host: to, tunnel, migration: "planned", epoch: epochAtHome(record) + 1 };
    const prepare = await network.plan(withNext(record, next));
    const { address } = attachmentOf(host, record);
    const line = async (spec: TunnelSpec) =>
      redirectCommand(address, await network.describeTunnel(spec)).join(" ");
    const [command, undo] = await Promise.all([line(tunnel), line(record.redirect.tunnel)]);
    return { epoch: epochAtHome(record), prepare, repoint: [{ command, undo }] };
  }

  async #prepare(
    { id, guest, epoch, to, tunnel_kind, drain: limits }: PrepareRequest,
    peer: string,
  ) {
    this.#leaving(guest, peer);
    const tunnel = await this.#tunnelTo(to, tunnel_kind);
    const { logger, network } = this.#context;
    using _held = await network.hold();
    const record = this.#leaving(guest, peer);
    const isSame = record.redirect.next?.migration === id && record.redirect.next.epoch === epoch;
    if (!isSame && epoch <= epochAtHome(record)) throw staleEpoch(record, epoch);
    const drain = limits && { idleTimeoutS: limits.idle_timeout_s, capS: limits.cap_s };
    const next = { host: to, tunnel, migration: id, epoch, ...(drain && { drain }) };
    await network.changeWhileHeld(withNext(record, next));
    this.#followUps.follow(guest);
    logger.info({ migration: id, guest, from: peer, to, epoch }, "ready to re-point");
    return {};
  }

  #confirm({ id, guest, epoch }: Identity, peer: string) {
    const { next } = this.#away(guest).redirect;
    if (next?.migration !== id || next.epoch !== epoch || next.host !== peer) {
      throw unknownMove(this.#context.host.name, id, guest);
    }
    return { underlay_address: this.#context.host.underlayAddress };
  }

  async #probe(
    { id, guest, epoch, barrier_address }: Identity & { barrier_address: string },
    peer: string,
  ) {
    const { host, network } = this.#context;
    const record = this.#leaving(guest, peer);
    const { next } = record.redirect;
    if (next?.migration !== id || next.epoch !== epoch) throw unknownMove(host.name, id, guest);
    const { address } = attachmentOf(host, record);
    const question = { id, barrierAddress: barrier_address, guestAddress: address };
    await askThroughBarrier(this.#context, question, network.tunnelInterface(next.tunnel));
    return {};
  }

  async #repoint(request: RepointRequest, peer: string) {
    const { guest, epoch, tunnel_kind, renumbered, resolved = false } = request;
    const { host, logger, network, records } = this.#context;
    const known = this.#away(guest).redirect;
    const isReady = known.next?.host === peer && known.next.epoch === epoch;
    const isThere = known.host === peer;
    if (!isReady && !isThere) await this.#refuseElsewhere(guest, known, peer, resolved);
    const tunnel = isThere
      ? known.tunnel
      : isReady && known.next
        ? known.next.tunnel
        : await this.#tunnelTo(peer, tunnel_kind);
    using _held = await network.hold();
    const record = this.#away(guest);
    // What was found out is of the move that was known then.
    if (!isDeepStrictEqual(record.redirect, known)) throw beingMigrated(guest, undefined);
    const drain = renumbered === undefined ? undefined : this.#drain(record, epoch, renumbered);
    const changed = repointed(record, { host: peer, epoch, tunnel, drain, sinceMs: wallClockMs() });
    const ready = network.knownInterface(tunnel);
    if (!isThere && ready !== null) {
      // In writing first: whoever makes the kernel as the records say goes the same way.
      records.put(changed);
      const { address } = attachmentOf(host, record);
      await network.routing.replaceRoute(redirectRoute(address, ready));
    }
    await network.changeWhileHeld(changed);
    this.#followUps.follow(guest);
    logger.info({ guest, to: peer, epoch }, "the guest's packets go to where it runs now");
    return {};
  }

  async #release({ id, guest }: Identity, peer: string) {
    const { network, records } = this.#context;
    using _held = await network.hold();
    const record = openRedirect(records.get(guest));
    if (record === null) return {};
    const { host, previous } = record.redirect;
    if (host !== peer && previous?.host !== peer) return {};
    // Also where nothing changes: the kernel may have kept a part of what could not be prepared.
    await network.changeWhileHeld(released(record, id) ?? record);
    return {};
  }

  /**
   * An operator may have decided otherwise than home was prepared for; but never against a host where the guest is, or
   * may be: one that is silent says so once it is back, unless the operator has fenced it.
   */
  async #refuseElsewhere(
    guest: string,
    { host, next }: AwayRecord["redirect"],
    peer: string,
    isResolved: boolean,
  ): Promise<void> {
    // Its source has said where it goes, and may have promised it by now.
    if (next !== undefined) throw beingMigrated(guest, next.migration);
    const facts = await this.#context
      .peer(host)
      .call("migration-facts", { id: "none", guest })
      .catch((error: unknown) => {
        if (isResolved && hasCode(error, "SOJ_PEER_UNREACHABLE")) return null;
        throw error;
      });
    if (facts === null || facts.run_state === "none") return;
    throw preconditionError(
      "SOJ_GUEST_ELSEWHERE",
      `${peer} says that it runs ${guest}, and so does ${host}, where its home knows it`,
      { httpStatus: 409, retryable: true, hint: `sojourn guest show ${guest}, on both hosts` },
    );
  }

  /** As the move's source has asked for it; one that home was not prepared for has home's own limits. */
  #drain({ guest, redirect: { next } }: AwayRecord, epoch: number, renumbered: string): Drain {
    const isPrepared = next?.epoch === epoch;
    const limits = isPrepared ? next.drain : undefined;
    const renumbering = { ...this.#context.drainOf(guest), ...limits, renumbered };
    return begunDrain(isPrepared ? next.migration : "", renumbering);
  }

  async #tunnelTo(to: string, kind: TunnelKind): Promise<TunnelSpec> {
    const { host, underlayAddressOf } = this.#context;
    const remoteAddress = await underlayAddressOf(to);
    return { kind, localAddress: host.underlayAddress, remoteAddress };
  }

  /** The guest, which is at the asking host and may leave it. */
  #leaving(guest: string, peer: string): AwayRecord {
    const record = this.#away(guest);
    const { host, retiring } = record.redirect;
    refuseHandedOver(record);
    if (host !== peer) {
      throw preconditionError(
        "SOJ_NOT_SOURCE",
        `${this.#context.host.name}, ${guest}'s home, knows it at ${host}, not at ${peer}`,
        { httpStatus: 403, hint: `sojourn guest show ${guest}, on each of the three hosts` },
      );
    }
    if (retiring !== undefined) {
      throw preconditionError(
        "SOJ_REDIRECT_RETIRING",
        `${guest} is about to be at ${host} for good: its redirect is being retired`,
        { guestState: "untouched", hint: `sojourn guest show ${guest}` },
      );
    }
    return record;
  }

  #away(guest: string): AwayRecord {
    const { host, isArriving, journal, records } = this.#context;
    journal.refuseHeld(guest);
    const record = records.get(guest);
    const away = openRedirect(record);
    if (isArriving(guest) || (away === null && (record?.migration || record?.outgoing))) {
      throw beingMigrated(guest, record?.migration?.id);
    }
    if (away !== null && away.home.host === host.name) return away;
    throw preconditionError("SOJ_NOT_HOME", `${host.name} redirects nothing of ${guest}`, {
      httpStatus: 409,
      hint: `sojourn guest show ${guest}`,
    });
  }
}

function staleEpoch(record: AwayRecord, epoch: number): SojournError {
  const known = epochAtHome(record);
  const message = `home knows epoch ${known} of ${record.guest} already, ${epoch} is not newer`;
  return preconditionError("SOJ_STALE_EPOCH", message, { httpStatus: 409 });
}

function untrackedAtHome(home: string, guest: string): SojournError {
  return preconditionError(
    "SOJ_FLOWS_UNTRACKED",
    `${home}, ${guest}'s home, tracks no connections: when nothing needs its redirect any more would not be known`,
    {
      guestState: "untouched",
      hint: `[flows] track = true at ${home}, and a restart of its daemon`,
    },
  );
}

function unknownMove(home: string, id: string, guest: string): SojournError {
  const message = `${home}, ${guest}'s home, knows nothing of migration ${id}`;
  return preconditionError("SOJ_STALE_EPOCH", message, { httpStatus: 409 });
}
