import { ipProtocol } from "./tracked-flow.ts";

/** TCP's states from a connection's beginning to its end. */
const tcpStates = [
  ...["NONE", "SYN_SENT", "SYN_SENT2", "SYN_RECV", "ESTABLISHED"],
  ...["FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE"],
];

interface InState {
  protocol: number;
  state: string | null;
}

/**
 * Whether `told` is further in its life than `known`. Two hosts look at a flow one after the other: the one that looked
 * earlier takes nothing back. Pure.
 */
export function isFurther(told: InState, known: InState): boolean {
  if (told.protocol !== ipProtocol.tcp || told.state === null) return false;
  return tcpStates.indexOf(told.state) > tcpStates.indexOf(known.state ?? "NONE");
}
