import type {
  GapEvent,
  GateEvent,
  MigrationPlan,
  NameEvent,
  PhaseEvent,
  ProgressEvent,
} from "../../client/index.ts";
import { span } from "../render/figures.ts";

/** `  +612.0 ms  armed          host-a`. */
export function describePhase(event: PhaseEvent): string {
  const at = `+${event.at_ms.toFixed(1)} ms`.padStart(12);
  return `${at}  ${event.phase.padEnd(14)} ${event.host}`;
}

/** What is missing before the lines that follow. */
export function describeGap({ message }: GapEvent): string {
  return `  (${message})`;
}

/** Transferred and remaining memory, rates and the predicted blackout in one line. */
export function describeProgress(event: ProgressEvent): string {
  const remaining = `${mebibytes(event.remaining_bytes)} of ${mebibytes(event.total_bytes)} MiB left`;
  const dirty = event.dirty_mbps === null ? "" : ` (dirtied at ${event.dirty_mbps.toFixed(0)})`;
  const parts = [
    remaining,
    `${mebibytes(event.transferred_bytes)} sent`,
    `${event.bandwidth_mbps.toFixed(0)} Mbit/s${dirty}`,
  ];
  if (event.flows !== undefined && event.flows.carried < event.flows.total) {
    parts.push(`${event.flows.carried} of ${event.flows.total} flows carried`);
  }
  if (event.predicted_blackout_ms !== null) {
    parts.push(`blackout ~${event.predicted_blackout_ms.toFixed(0)} ms`);
  }
  // A live line is cut off where the terminal ends: what matters comes first.
  if (event.forecast?.converges === false) parts.unshift(event.forecast.text);
  else if (event.forecast !== undefined) parts.push(event.forecast.text);
  else if (event.throttle_percent !== undefined)
    parts.push(`throttling at ${event.throttle_percent} %`);
  return `  ${parts.join(", ")}`;
}

/** `  +612.0 ms  gate           change-board at armed: allow after 1.2 s: ticket 4711`. */
export function describeGate(event: GateEvent): string {
  const at = `+${event.at_ms.toFixed(1)} ms`.padStart(12);
  const { gate, point, decision, answered, reason } = event;
  const by = answered || decision === "asked" ? "" : " by default";
  const after = decision === "asked" ? "" : ` after ${(event.waited_ms / 1000).toFixed(1)} s`;
  const why = reason === null ? "" : `: ${reason}`;
  return `${at}  ${"gate".padEnd(14)} ${gate} at ${point}: ${decision}${by}${after}${why}`;
}

/** `  name web1.guests.example leads to 10.2.0.2 (resolvers may say otherwise for 120 s)`. */
export function describeName({ name, address, ttl_s, failure }: NameEvent): string {
  if (failure !== null) return `  name ${name} is not updated yet: ${failure.message}`;
  const until = ttl_s === null ? "" : ` (resolvers may say otherwise for ${ttl_s} s)`;
  return `  name ${name} leads to ${address ?? "nobody"}${until}`;
}

/** The plan as lines that a shell understands, each with its undo as a comment. */
export function describePlan(plan: MigrationPlan): string {
  const lines = [`# ${plan.guest}: ${plan.from} -> ${plan.to} through ${plan.tunnel}`];
  if (plan.renumber !== undefined) lines.push(...describeRenumbering(plan, plan.renumber));
  for (const { host, when, lines: steps } of plan.hosts) {
    lines.push("", `# on ${host}, ${moments[when]}`);
    for (const { command, undo } of steps) {
      lines.push(command, ...(undo === null ? [] : [asComment(`  undo: ${undo}`)]));
    }
  }
  const gates = plan.gates ?? [];
  if (gates.length > 0) lines.push("");
  for (const { gate, points } of gates)
    lines.push(`# gate ${gate} is asked at ${points.join(", ")}`);
  if (plan.warnings.length > 0)
    lines.push("", ...plan.warnings.map((text) => `# warning: ${text}`));
  return lines.join("\n");
}

function describeRenumbering(
  { guest, from: home, to: host }: MigrationPlan,
  { from, to, idle_timeout_s: idle, cap_s: cap }: NonNullable<MigrationPlan["renumber"]>,
): string[] {
  const most = cap === null ? "" : `, at the latest after ${span(cap)}`;
  return [
    `# ${guest} gets ${to} of ${host} too; it knows nothing of it: ${host} translates`,
    `# established flows keep ${from} and the tunnel; new ones use ${to} and do not pass ${home}`,
    `# the redirect at ${home} goes when no flow has used it for ${span(idle)}${most}; ${from} is free then`,
  ];
}

const moments = {
  prepare: "before the guest is touched",
  switchover: "while the guest is paused",
  resumed: "once the guest runs at its destination",
};

function asComment(text: string): string {
  return text.replace(/^/gm, "#");
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
