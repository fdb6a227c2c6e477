import { coversGuest } from "../guest-patterns.ts";
import type { HookEndpoint } from "./endpoint.ts";
import { isWanted } from "./events.ts";
import type { HookMessage } from "./payload.ts";
import type { SpoolEntry } from "./spool.ts";

/** Who wants to be told of what. */
export interface Subscription {
  name: string;
  endpoint: HookEndpoint;
  events: readonly string[];
  /** Null for all. */
  guests: readonly string[] | null;
}

/**
 * Who gets a message. A receiver's messages are in one lane; programs run one at a time for each guest.
 */
export function entriesFor(
  message: HookMessage,
  subscriptions: Iterable<Subscription>,
): SpoolEntry[] {
  return [...subscriptions]
    .filter(({ events, guests }) => {
      const isMeant = guests === null || coversGuest(guests, message.guest);
      return isMeant && isWanted(message.type, events);
    })
    .map(({ name, endpoint }) => ({
      subscription: name,
      lane: endpoint.kind === "exec" ? message.guest : "",
      message,
    }));
}
