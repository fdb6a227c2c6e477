import { Handovers } from "../../migrator/handover/driver.ts";
import { HandoverFollower } from "../../migrator/handover/follower.ts";
import type { handoverProcedures } from "../../migrator/handover/procedures.ts";
import { HandoverReceiver } from "../../migrator/handover/receiver.ts";
import type { HandoverStore, StoredHandover } from "../../migrator/handover/state.ts";
import type { HostContext } from "../../migrator/host-context.ts";
import { addressOf } from "../../migrator/open-redirect.ts";
import { runCommand } from "../../platform/command.ts";
import { preconditionError } from "../../platform/errors.ts";
import type { PeerCaller, ProcedureHandlers } from "../../platform/procedures.ts";
import { observeTunnels } from "../../tunnels/observe.ts";
import type { DaemonServices } from "../services.ts";
import type { Handover, HandoverServices } from "./schemas.ts";

export interface HandoverOptions {
  context: HostContext;
  store: HandoverStore;
  peer: (host: string) => PeerCaller<typeof handoverProcedures>;
  underlayAddressOf: (host: string) => Promise<string>;
  isLeaving: (guest: string) => boolean;
  isArriving: (guest: string) => boolean;
  examinePeer: DaemonServices["examinePeer"];
}

export interface OpenedHandovers extends Disposable {
  services: HandoverServices;
  handlers: ProcedureHandlers<typeof handoverProcedures>;
  /** Goes on with what an earlier daemon left. */
  resume(): void;
}

/** An anchor's handovers, and what this host does in those of others. */
export function openHandovers(options: HandoverOptions): OpenedHandovers {
  const { context, store } = options;
  const receiver = new HandoverReceiver({ ...context, store });
  const follower = new HandoverFollower({ ...context, ...options });
  const handovers = new Handovers({ ...context, ...options, packetsRedirected });
  const from = context.host.name;
  return {
    services: {
      async handOver({ to, dry_run = false }) {
        if (!dry_run) return summaryOf(from, await handovers.begin(to));
        const guests = await handovers.check(to);
        return {
          ...{ type: "handover", id: null, from, to, state: "planned" },
          guests: guests.map((record) => ({
            guest: record.guest,
            address: addressOf(record),
            host: record.redirect.host,
          })),
          ...{ begun_ms: null, ended_ms: null, error: null },
        };
      },
      async showHandover() {
        if (handovers.current !== null) return summaryOf(from, handovers.current);
        const isAnchor = context.host.role === "anchor";
        throw preconditionError(
          "SOJ_NO_HANDOVER",
          isAnchor
            ? `${from} has handed nothing over`
            : `${from} is no anchor: it hands nothing over`,
          {
            httpStatus: 404,
            hint: isAnchor
              ? "sojourn anchor handover --to HOST begins one; one that comes from another anchor is told there"
              : "ask the anchor: sojourn host ls",
          },
        );
      },
    },
    handlers: {
      "handover-check": async ({ guests, hosts }, { peer }) => {
        for (const guest of guests) receiver.check(guest, peer);
        const kinds = new Set(guests.map(({ tunnel_kind: kind }) => kind));
        for (const host of hosts) await checkWay(options, host, kinds);
        return {};
      },
      "handover-receive": (request, { peer }) => receiver.receive(request, peer),
      "handover-activate": async ({ id, guests }, { peer }) => {
        await receiver.activate(id, guests, peer);
        return {};
      },
      "handover-drop": async ({ id }, { peer }) => {
        await receiver.drop(id, peer);
        return {};
      },
      "handover-finish": async ({ id }, { peer }) => {
        await receiver.finish(id, peer);
        return {};
      },
      "offer-home": async (request, { peer }) => {
        await follower.offer(request, peer);
        return {};
      },
      "take-home": async (request, { peer }) => {
        await follower.take(request, peer);
        return {};
      },
      "release-home": async (request, { peer }) => {
        await follower.release(request, peer);
        return {};
      },
    },
    resume: () => handovers.resume(),
    [Symbol.dispose]: () => handovers[Symbol.dispose](),
  };
}

const checkOfKind = { ipip: "peer-protocol-4", vxlan: "peer-udp-4789" } as const;

/** @throws SojournError `SOJ_HANDOVER_PATH` when tunnels of the kind carry nothing between this host and the other. */
async function checkWay(
  { context, examinePeer }: HandoverOptions,
  host: string,
  kinds: ReadonlySet<keyof typeof checkOfKind>,
): Promise<void> {
  const ids = [...kinds].map((kind) => checkOfKind[kind] as string);
  const checks = await examinePeer(host);
  const failed = checks.find(({ id, result }) => ids.includes(id) && result === "fail");
  if (failed === undefined) return;
  const message = `${context.host.name} does not reach ${host} as a guest's packets would: ${failed.detail}`;
  throw preconditionError("SOJ_HANDOVER_PATH", message, {
    guestState: "untouched",
    hint: `sojourn doctor --peer ${host}, on ${context.host.name}`,
  });
}

async function packetsRedirected(): Promise<number> {
  const tunnels = await observeTunnels(runCommand);
  return tunnels.reduce((sum, { sent }) => sum + (sent?.packets ?? 0), 0);
}

function summaryOf(from: string, stored: StoredHandover): Handover {
  const { id, to, state, guests, begunMs, endedMs, error } = stored;
  const times = { begun_ms: Math.round(begunMs), ended_ms: endedMs && Math.round(endedMs) };
  return { type: "handover", id, from, to, state, guests, ...times, error };
}
