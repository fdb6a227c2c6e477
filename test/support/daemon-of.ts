import { createClient, type SojournClient } from "../../src/client/index.ts";
import { daemonSocket } from "../../src/lab/index.ts";
import { holderOf } from "../../src/lab/nodes.ts";

/**
 * The local API of a lab host's daemon, asked from here: a command that is started for each question takes longer than
 * its answer.
 * @throws SojournError as `holderOf`.
 */
export function daemonOf(lab: string, host: string): SojournClient {
  return createClient({ socketPath: daemonSocket(lab, host) });
}

/** Where the files of a lab's node are, as this machine sees them. */
export function rootOf(lab: string, node: string): string {
  return `/proc/${holderOf(lab, node).pid}/root`;
}
