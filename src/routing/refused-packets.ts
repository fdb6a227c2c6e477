import { nftTable } from "./desired.ts";
import { NetfilterNetlink } from "./flows/netfilter.ts";
import { genericHeaderBytes, ipv4Family } from "./flows/wire.ts";
import { nameAttribute, networkNumberAttribute, parseAttributes } from "./netlink/attributes.ts";
import { counterName, type RefusalReason, refusalReasons } from "./tunnel-filter.ts";

/** Packets by the reason for which they were refused. */
export type RefusedCounts = Record<RefusalReason, number>;

/** Of linux/netfilter/nf_tables.h: NFT_MSG_GETOBJ of the subsystem NFNL_SUBSYS_NFTABLES. */
const getObject = 0xa13;
/** NFTA_OBJ_…, NFT_OBJECT_COUNTER, NFTA_COUNTER_… */
const object = { table: 1, name: 2, type: 3, data: 4 } as const;
const counterType = 1;
const counterPackets = 2;

/**
 * Packets that the filter of the tunnels has refused since this was made, across loads of our tables, which begin to
 * count anew.
 */
export class RefusedPackets implements Disposable {
  readonly #netlink = new NetfilterNetlink();
  readonly #totals: RefusedCounts = { inner_address: 0, outer_address: 0, malformed: 0 };
  #last: RefusedCounts | null = null;

  /** Asks the kernel, without a process. @throws SojournError `SOJ_NETLINK_…`. */
  async read(): Promise<RefusedCounts> {
    const request = Buffer.concat([
      Buffer.from([ipv4Family, 0, 0, 0]),
      nameAttribute(object.table, nftTable),
      networkNumberAttribute(object.type, counterType),
    ]);
    const objects = await this.#netlink.dump("counters of refused packets", getObject, request);
    const counts = decodeCounters(objects);
    // What was counted before this was made is an earlier daemon's.
    const last = this.#last ?? counts;
    for (const reason of refusalReasons) {
      const isAnew = counts[reason] < last[reason];
      this.#totals[reason] += counts[reason] - (isAnew ? 0 : last[reason]);
    }
    this.#last = counts;
    return { ...this.#totals };
  }

  [Symbol.dispose](): void {
    this.#netlink[Symbol.dispose]();
  }
}

/**
 * What our counters stand at; 0 for those that are not there. Pure.
 * @throws SojournError `SOJ_NETLINK_MALFORMED`.
 */
export function decodeCounters(objects: readonly Buffer[]): RefusedCounts {
  const found = new Map<string, number>();
  for (const bytes of objects) {
    const attributes = parseAttributes(bytes, genericHeaderBytes);
    const data = attributes.get(object.data);
    if (textOf(attributes.get(object.table)) !== nftTable || data === undefined) continue;
    const packets = parseAttributes(data, 0).get(counterPackets);
    if (packets?.length !== 8) continue;
    found.set(textOf(attributes.get(object.name)), Number(packets.readBigUInt64BE(0)));
  }
  const count = (reason: RefusalReason) => found.get(counterName(reason)) ?? 0;
  return {
    inner_address: count("inner_address"),
    outer_address: count("outer_address"),
    malformed: count("malformed"),
  };
}

function textOf(bytes: Buffer | undefined): string {
  return bytes === undefined ? "" : bytes.toString("latin1").split("\0", 1).join();
}
