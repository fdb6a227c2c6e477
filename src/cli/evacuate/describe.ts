import type { Evacuation, EvacuationGuest, EvacuationPlan } from "../../client/index.ts";
import { counted } from "../../platform/counted.ts";
import { formatTable } from "../table.ts";

const header = ["GUEST", "TO", "STATE", "PROGRESS", "BLACKOUT"];

/** A table of guests, one a line. */
export function describeGuests(guests: readonly EvacuationGuest[]): string {
  const rows = guests.map((guest) => [
    guest.guest,
    guest.to ?? "-",
    guest.state,
    progressOf(guest),
    guest.blackout_ms === null ? "-" : `${guest.blackout_ms.toFixed(1)} ms`,
  ]);
  return formatTable(header, rows);
}

/** `3 of 5 guests moved, 1 on its way, 1 failed`. */
export function describeCounts({ guests }: Pick<Evacuation, "guests">): string {
  if (guests.length === 0) return "no guest was there";
  const count = (state: EvacuationGuest["state"]) =>
    guests.filter((guest) => guest.state === state).length;
  const others = (
    [
      [count("migrating"), "on the way"],
      [count("queued"), "waiting"],
      [count("failed"), "failed"],
      [count("cancelled"), "cancelled"],
      [count("skipped"), "skipped"],
    ] as const
  ).filter(([several]) => several > 0);
  const moved = `${count("moved")} of ${counted(guests.length, "guest")} moved`;
  return [moved, ...others.map(([several, what]) => `${several} ${what}`)].join(", ");
}

/** An evacuation as it is: its guests, and of those that did not move the reasons. */
export function describeEvacuation(evacuation: Evacuation): string {
  const { id, host, state, guests } = evacuation;
  const took = seconds(evacuation);
  const head = `evacuation ${id} of ${host}: ${state}${took}; ${describeCounts(evacuation)}`;
  const reasons = guests.flatMap(reasonOf);
  return [head, ...(guests.length === 0 ? [] : [describeGuests(guests)]), ...reasons].join("\n");
}

/** Several evacuations, one a line. */
export function describeList(evacuations: readonly Evacuation[]): string {
  const rows = evacuations.map((one) => [
    one.id,
    one.host,
    one.to.join(","),
    one.state,
    new Date(one.started_ms).toISOString(),
    describeCounts(one),
  ]);
  return formatTable(["ID", "HOST", "TO", "STATE", "STARTED", "GUESTS"], rows);
}

/** What has become of one guest, as a line. */
export function describeChange(guest: EvacuationGuest): string {
  const { guest: name, to, state, blackout_ms, error } = guest;
  const target = to === null ? "" : ` to ${to}`;
  switch (state) {
    case "queued":
      return `${name}: waits for its turn${target}`;
    case "migrating":
      return `${name}: migrates${target}${guest.migration === null ? "" : ` (${guest.migration})`}`;
    case "moved":
      return `${name}: moved${target}${blackout_ms === null ? "" : `, blackout ${blackout_ms.toFixed(1)} ms`}`;
    case "failed":
    case "skipped":
    case "cancelled":
      return `${name}: ${state}${error === null ? "" : `: ${error.message} [${error.code}]`}`;
    default:
      return state satisfies never;
  }
}

/** What an evacuation would do. */
export function describePlan(plan: EvacuationPlan): string {
  const places = plan.destinations.map(({ host, available_mib, maintenance, error }) => [
    host,
    available_mib === null ? "-" : `${Math.floor(available_mib)} MiB free`,
    error === null
      ? maintenance
        ? "in maintenance"
        : "takes guests"
      : `${error.message} [${error.code}]`,
  ]);
  const guests = plan.guests.map(({ guest, to, memory_mib, predicted_s }) => [
    guest,
    to ?? "-",
    `${Math.ceil(memory_mib)} MiB`,
    predicted_s === null ? "-" : `${predicted_s.toFixed(1)} s`,
  ]);
  const head = `${plan.host}: ${counted(plan.guests.length, "guest")}, ${plan.parallel} at once, ${plan.parallel_per_link} at once to one host`;
  return [
    head,
    formatTable(["DESTINATION", "MEMORY", "STATE"], places),
    ...(guests.length === 0 ? [] : [formatTable(["GUEST", "TO", "MEMORY", "PREDICTED"], guests)]),
    ...plan.guests.flatMap(reasonOf),
  ].join("\n");
}

function progressOf({ progress, state, predicted_s }: EvacuationGuest): string {
  if (progress === undefined || state !== "migrating") {
    return state === "queued" && predicted_s !== null
      ? `${predicted_s.toFixed(1)} s expected`
      : "-";
  }
  const { phase, transferred_bytes: sent, remaining_bytes: left } = progress;
  const isKnown = sent !== null && left !== null && sent + left > 0;
  if (phase !== "precopy" || !isKnown) return phase;
  return `${phase} ${Math.floor((100 * sent) / (sent + left))} %`;
}

function reasonOf({ guest, error }: Pick<EvacuationGuest, "guest" | "error">): string[] {
  if (error === null) return [];
  const hint = error.hint === null ? [] : [`  ${error.hint}`];
  return [`${guest}: ${error.message} [${error.code}]`, ...hint];
}

function seconds({ started_ms, ended_ms }: Evacuation): string {
  return ended_ms === null ? "" : ` after ${((ended_ms - started_ms) / 1_000).toFixed(1)} s`;
}
