import { preconditionError } from "../../platform/errors.ts";
import type { TunnelKind } from "../../tunnels/tunnel.ts";
import type { HostContext } from "../host-context.ts";
import type { GuestRecord, Home } from "../records.ts";
import { unknownHandover } from "./errors.ts";

type Context = Pick<HostContext, "host" | "records" | "network" | "journal"> & {
  /** A migration takes the guest away, or is about to. */
  isLeaving(guest: string): boolean;
  isArriving(guest: string): boolean;
  /** A peer's, by its own word. @throws SojournError when it is none, or does not answer. */
  underlayAddressOf(host: string): Promise<string>;
};

type Identity = { id: string; guest: string };
type HostedRecord = GuestRecord & { hosting: NonNullable<GuestRecord["hosting"]> };

/** What the host of a guest does whose home hands its address over: each step may be asked for again. */
export class HandoverFollower {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  /**
   * Takes the guest's packets from the other anchor's tunnel too.
   * @throws SojournError `SOJ_GUEST_NOT_RUNNING`, `SOJ_GUEST_BUSY` during a migration, `SOJ_NOT_HOME`; what the kernel, or
   *   the other anchor's silence, stands in the way.
   */
  async offer(
    { id, guest, home, tunnel_kind }: Identity & { home: Home; tunnel_kind: TunnelKind },
    peer: string,
  ): Promise<void> {
    const { host, network, underlayAddressOf } = this.#context;
    const underlayAddress = await underlayAddressOf(home.host);
    if (underlayAddress !== home.underlayAddress) {
      const message = `${home.host} is at ${underlayAddress}, not at ${home.underlayAddress}`;
      throw preconditionError("SOJ_GUEST_HOME", message);
    }
    using _held = await network.hold();
    const record = this.#hosted(guest);
    if (record.hosting.handover?.id === id) return;
    this.#refuseUnfit(record, peer);
    const tunnel = {
      kind: tunnel_kind,
      localAddress: host.underlayAddress,
      remoteAddress: home.underlayAddress,
    };
    const handover = { id, home, tunnel, taken: false };
    await network.changeWhileHeld({ ...record, hosting: { ...record.hosting, handover } });
  }

  /** The other anchor is home from now on: one route changes. @throws SojournError `SOJ_HANDOVER_UNKNOWN`. */
  async take({ id, guest, epoch }: Identity & { epoch: number }, peer: string): Promise<void> {
    const { host, network } = this.#context;
    using _held = await network.hold();
    const record = this.#hosted(guest);
    const { handover, homeTunnel } = record.hosting;
    if (handover?.id !== id || homeTunnel === null) throw unknownHandover(host.name, id);
    if (handover.taken) return;
    refuseOther(record.home.host, peer);
    await network.changeWhileHeld({
      ...record,
      epoch: Math.max(epoch, record.epoch),
      home: handover.home,
      hosting: {
        ...record.hosting,
        homeTunnel: handover.tunnel,
        handover: { id, home: record.home, tunnel: homeTunnel, taken: true },
      },
    });
  }

  /** Forgets the anchor that is not home, whether it was to become it or was it. Nothing for a guest that has ended. */
  async release({ id, guest }: Identity, peer: string): Promise<void> {
    const { network, records } = this.#context;
    using _held = await network.hold();
    const record = records.get(guest);
    if (!record?.hosting || record.hosting.handover?.id !== id) return;
    const { handover, ...hosting } = record.hosting;
    refuseOther(handover.taken ? handover.home.host : record.home.host, peer);
    await network.changeWhileHeld({ ...record, hosting });
  }

  #refuseUnfit(record: HostedRecord, peer: string): void {
    const { journal, isLeaving, isArriving } = this.#context;
    const { guest, migration, hosting, home } = record;
    journal.refuseHeld(guest);
    refuseOther(home.host, peer);
    const isMoving = migration !== null || isLeaving(guest) || isArriving(guest);
    const isPlain = hosting.stage === "running" && hosting.homeTunnel !== null;
    if (!isMoving && isPlain && hosting.handover === undefined && !hosting.homeUntold) return;
    throw preconditionError("SOJ_GUEST_BUSY", `${guest} is just being moved, or has just arrived`, {
      guestState: "untouched",
      retryable: true,
      hint: "try again in some seconds",
    });
  }

  #hosted(guest: string): HostedRecord {
    const { host, records } = this.#context;
    const record = records.get(guest);
    if (record?.hosting) return { ...record, hosting: record.hosting };
    throw preconditionError("SOJ_GUEST_NOT_RUNNING", `${guest} does not run on ${host.name}`);
  }
}

function refuseOther(home: string, peer: string): void {
  if (home === peer) return;
  const message = `${peer} is not the guest's home, ${home} is`;
  throw preconditionError("SOJ_NOT_HOME", message, { httpStatus: 403 });
}
