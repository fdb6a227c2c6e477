import { Handovers } from "../../../src/migrator/handover/driver.ts";
import { handoverOf } from "../../../src/migrator/handover/errors.ts";
import { HandoverFollower } from "../../../src/migrator/handover/follower.ts";
import { HandoverReceiver } from "../../../src/migrator/handover/receiver.ts";
import { HandoverStore } from "../../../src/migrator/handover/state.ts";
import type { HostContext } from "../../../src/migrator/host-context.ts";
import { RecordStore } from "../../../src/migrator/record-store.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { AsyncLock } from "../../../src/platform/lock.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { definitionOf, temporaryFolder } from "./support.ts";

const addresses: Record<string, string> = {
  "anchor-x": "172.17.1.2",
  "anchor-y": "172.17.2.2",
  "host-a": "172.16.1.2",
  "host-b": "172.16.2.2",
};
const gatewayMac = "52:54:00:00:01:01";
const guests = { web1: "host-a", web2: "host-b" } as const;

/** What becomes of one request. */
export type Fate = "answered" | "refused" | "unheard" | "answer lost" | "asker dies";

/**
 * Two anchors and two hosts with a guest each, all in this process, with the real records; requests between them meet the
 * fate that `fateOf` gives them. After every change of a record the guests must be reachable.
 */
export class HandoverWorld implements Disposable {
  readonly #folder = temporaryFolder();
  readonly records = new Map<string, RecordStore>();
  readonly store: HandoverStore;
  readonly #receiver: HandoverReceiver;
  readonly #followers = new Map<string, HandoverFollower>();
  handovers: Handovers;
  requests = 0;
  fateOf: (number: number, name: string) => Fate = () => "answered";
  /** What a peer would have noticed. */
  readonly troubles: string[] = [];

  constructor() {
    for (const name of Object.keys(addresses)) {
      this.records.set(name, new RecordStore(`${this.#folder.path}/${name}`));
    }
    this.store = new HandoverStore(this.#folder.path);
    const yStore = new HandoverStore(`${this.#folder.path}/anchor-y`);
    this.#receiver = new HandoverReceiver({ ...this.#contextOf("anchor-y"), store: yStore });
    for (const host of ["host-a", "host-b"]) {
      const follower = new HandoverFollower({
        ...this.#contextOf(host),
        isLeaving: () => false,
        isArriving: () => false,
        underlayAddressOf: async (name) => addresses[name] ?? "",
      });
      this.#followers.set(host, follower);
    }
    for (const [guest, host] of Object.entries(guests)) this.#place(guest, host);
    this.handovers = this.#daemon();
    for (const store of this.records.values()) store.subscribe(() => this.#look());
  }

  [Symbol.dispose](): void {
    this.handovers[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
  }

  /** The anchor's daemon dies, and another one takes over. */
  restart(): void {
    this.handovers[Symbol.dispose]();
    this.handovers = this.#daemon();
    this.handovers.resume();
  }

  of(host: string, guest: string): GuestRecord | undefined {
    return this.records.get(host)?.get(guest);
  }

  #daemon(): Handovers {
    return new Handovers({
      ...this.#contextOf("anchor-x"),
      store: this.store,
      peer: (host) => ({ peer: host, call: (name, request) => this.#ask(host, name, request) }),
      packetsRedirected: async () => 0,
    });
  }

  async #ask(host: string, name: string, request: unknown): Promise<never> {
    // What is looked at before anything begins.
    if (name !== "handover-check") this.requests += 1;
    const fate = this.fateOf(this.requests, name);
    const silent = () => new SojournError("SOJ_PEER_UNREACHABLE", fate, { retryable: true });
    if (fate === "unheard") throw silent();
    if (fate === "refused") throw new SojournError("SOJ_ROUTING_APPLY_FAILED", fate);
    const answer = await this.#answer(host, name, request as never);
    if (fate === "answer lost") throw silent();
    if (fate === "asker dies") {
      this.restart();
      return await new Promise<never>(() => {});
    }
    return answer as never;
  }

  // biome-ignore lint/suspicious/noExplicitAny: each request is of its procedure's own form
  async #answer(host: string, name: string, request: any): Promise<unknown> {
    const from = "anchor-x";
    const follower = this.#followers.get(host);
    switch (name) {
      case "handover-check":
        for (const guest of request.guests) this.#receiver.check(guest, from);
        return {};
      case "handover-receive":
        return await this.#receiver.receive(request, from);
      case "handover-activate":
        return await this.#receiver.activate(request.id, request.guests, from);
      case "handover-drop":
        return await this.#receiver.drop(request.id, from);
      case "handover-finish":
        return await this.#receiver.finish(request.id, from);
      case "offer-home":
        return await follower?.offer(request, from);
      case "take-home":
        return await follower?.take(request, from);
      case "release-home":
        return await follower?.release(request, from);
      default:
        throw new Error(name);
    }
  }

  /** Every anchor that answers for a guest, or may still get its packets, reaches it, and gets its answers. */
  #look(): void {
    for (const [guest, host] of Object.entries(guests)) {
      const there = this.of(host, guest);
      const ways = [there?.hosting?.homeTunnel, there?.hosting?.handover?.tunnel];
      const reached = ways.map((way) => way?.remoteAddress);
      const anchors = ["anchor-x", "anchor-y"].map((name) => ({
        name,
        record: this.of(name, guest),
      }));
      const answering = anchors.filter(({ record }) => {
        const part = record?.redirect?.handover?.part;
        return record !== undefined && part !== "receiving" && part !== "leaving";
      });
      if (answering.length === 0) this.troubles.push(`nobody answers for ${guest}`);
      for (const { name, record } of anchors) {
        const isSilent = record?.redirect?.handover?.part === "receiving";
        if (record === undefined || isSilent || reached.includes(addresses[name])) continue;
        this.troubles.push(`${host} takes nothing of ${guest}'s from ${name}`);
      }
      const home = anchors.find(({ name }) => name === there?.home.host);
      if (home?.record === undefined) this.troubles.push(`${guest}'s home is nobody's`);
    }
  }

  /** In short: where everything is. */
  outcome(): string {
    const marks = [...this.records.values()].flatMap((store) => store.all().map(handoverOf));
    if (marks.some((mark) => mark !== null)) return "unfinished";
    const names = Object.keys(guests);
    const all = (anchor: string, other: string) =>
      names.every((guest) => {
        const host = guests[guest as keyof typeof guests];
        const { home, hosting } = this.of(host, guest) ?? {};
        const isThere = this.of(anchor, guest)?.redirect?.host === host;
        const leads = hosting?.homeTunnel?.remoteAddress === addresses[anchor];
        return isThere && leads && home?.host === anchor && this.of(other, guest) === undefined;
      });
    if (all("anchor-y", "anchor-x")) return "handed over";
    return all("anchor-x", "anchor-y") ? "kept" : "torn";
  }

  #contextOf(name: string) {
    const records = this.records.get(name) as RecordStore;
    const lock = new AsyncLock();
    const network = {
      hold: () => lock.acquire(),
      changeWhileHeld: async (record: GuestRecord) => records.put(record),
      forgetWhileHeld: async (guest: string) => records.remove(guest),
    };
    return {
      host: {
        ...{ name, role: name.startsWith("anchor") ? "anchor" : "host", tracksFlows: false },
        underlayAddress: addresses[name] ?? "",
        guestNetworks: name.startsWith("anchor")
          ? [{ subnet: "10.1.0.0/24", gateway: "10.1.0.1", bridge: "guests0", port: "lan0" }]
          : [],
      },
      ...{ records, network, logger: createLogger("silent") },
      journal: { refuseHeld: () => {}, highestEpoch: () => 0 },
    } as unknown as HostContext;
  }

  #place(guest: string, host: string): void {
    const number = guest === "web1" ? 10 : 11;
    const [here, there] = [addresses["anchor-x"] ?? "", addresses[host] ?? ""];
    const record: GuestRecord = {
      ...{ guest, definition: definitionOf(guest, number), epoch: 3 },
      home: { host: "anchor-x", underlayAddress: here, gatewayMac },
      ...{ hosting: null, redirect: null, outgoing: null, migration: null },
    };
    const tunnel = { kind: "ipip", localAddress: here, remoteAddress: there } as const;
    this.records.get("anchor-x")?.put({ ...record, redirect: { host, tunnel } });
    const homeTunnel = { kind: "ipip", localAddress: there, remoteAddress: here } as const;
    const hosting = { stage: "running", tableIndex: 0, homeTunnel, sourceTunnel: null } as const;
    this.records.get(host)?.put({ ...record, hosting });
  }
}
