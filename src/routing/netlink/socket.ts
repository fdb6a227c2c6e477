import { Protocol } from "netlink";
import { NetlinkClient, type NetlinkOptions } from "./client.ts";

export { NetlinkError } from "./failures.ts";
export { MessageFlag, type NetlinkMessage } from "./messages.ts";

/** Message types of linux/rtnetlink.h. */
export const MessageType = {
  newLink: 16,
  getLink: 18,
  setLink: 19,
  getAddress: 22,
  newNeighbour: 28,
  deleteNeighbour: 29,
  getNeighbour: 30,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
  newRule: 32,
  getRule: 34,
} as const;

/** Links, routes, rules and neighbours (rtnetlink(7)). */
export class RouteNetlink extends NetlinkClient {
  constructor(options: NetlinkOptions = {}) {
    super(Protocol.ROUTE, options);
  }
}
