import type { Retirement } from "../../client/index.ts";
import { formatTable } from "../table.ts";
import { span } from "./figures.ts";

/** More flows than this are only counted, for people. */
const mostShown = 50;

/** Whether somebody, or who knows whom, is cut off by it. */
export function cutsAnybody({ renumbered, cut_count: count }: Retirement): boolean {
  return renumbered === null || count === null || count > 0;
}

/** What the end of a guest's redirect means, or has meant. */
export function describeRetirement(retirement: Retirement): string {
  const { guest, host, home, freed, renumbered, state, reason } = retirement;
  const lines: string[] = [];
  if (state === "retired") {
    lines.push(`${guest}'s redirect is retired (${reason}); ${freed} is free at ${home}`);
  } else if (state === "retiring") {
    lines.push(`${guest}'s redirect is being retired (${reason}); ${freed} is ${home}'s then`);
  } else {
    lines.push(`${guest}'s redirect from ${home} to ${host} would go; ${freed} would be free`);
  }
  if (renumbered !== null) lines.push(`${guest} is reached at ${renumbered} (${host})`);
  else {
    lines.push(
      `${guest} has no address of ${host}'s own: only ${host} and its guests reach it, and it reaches nobody else`,
    );
  }
  if (state !== "retired" || (retirement.cut_count ?? 0) > 0) lines.push(...cutOf(retirement));
  return lines.join("\n");
}

function cutOf({ cut, cut_count: count, home, state }: Retirement): string[] {
  const verb = state === "retired" ? "cut off" : "it cuts off";
  if (cut === null || count === null) {
    return [`${verb}: not known, ${home} tracks no connections`];
  }
  if (count === 0) return [`${verb}: no flow that ${home} knows of`];
  const rows = cut
    .slice(0, mostShown)
    .map(({ protocol, peer, guest, state: tcp, idle_s: idle }) => [
      ...[protocol, peer, guest, tcp ?? "-", idle === null ? "-" : span(idle)],
    ]);
  const more = count - rows.length;
  return [
    `${verb}: ${count} ${count === 1 ? "flow" : "flows"}`,
    formatTable(["PROTOCOL", "PEER", "GUEST", "STATE", "IDLE"], rows),
    ...(more > 0 ? [`and ${more} more`] : []),
  ];
}
