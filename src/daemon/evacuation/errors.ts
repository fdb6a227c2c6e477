import { anchorError } from "../../migrator/host-role.ts";
import { preconditionError, SojournError, usageError } from "../../platform/errors.ts";
import type { EvacuationError, EvacuationPlan } from "./schemas.ts";

/** An error as evacuations keep and tell it. */
export function evacuationError(
  { code, message, hint, exitCode }: SojournError,
  exit_code: number = exitCode,
): EvacuationError {
  return { code, message: message.slice(0, 1_000), hint: hint?.slice(0, 1_000) ?? null, exit_code };
}

/** Why a destination cannot be one: guests would stay. */
export function sameHost(host: string): SojournError {
  return usageError(
    `${host} is to be emptied: its guests cannot go to ${host}`,
    "--to names the hosts that take its guests",
    "SOJ_EVACUATION_TO",
  );
}

export function alreadyRunning(host: string, id: string): SojournError {
  return preconditionError(
    "SOJ_EVACUATION_RUNNING",
    `evacuation ${id} empties ${host} already; it goes on`,
    {
      guestState: "untouched",
      hint: `sojourn evacuation watch ${id}; sojourn evacuation cancel ${id} takes back what has not begun`,
    },
  );
}

export function unknownEvacuation(host: string, id: string, silent: string[]): SojournError {
  const rest = silent.length === 0 ? "" : `; no answer from ${silent.join(", ")}`;
  return preconditionError(
    "SOJ_EVACUATION_UNKNOWN",
    `neither ${host} nor a peer of its knows evacuation ${id}${rest}`,
    { httpStatus: 404, hint: "sojourn evacuation ls, on the host that is emptied" },
  );
}

export function damagedEvacuations(
  host: string,
  damaged: readonly { path: string; reason: string }[],
): SojournError {
  const [first] = damaged;
  return preconditionError(
    "SOJ_EVACUATIONS_DAMAGED",
    `no evacuation of ${host} is begun, and no guest was touched: ${first?.path} cannot be read, and another one may be half done: ${first?.reason}`,
    {
      guestState: "untouched",
      hint: "sojourn status tells which guests are under way; then move the file away, and restart the daemon",
    },
  );
}

/** @param destinations as they were asked just now. */
export function nowhere(
  host: string,
  destinations: EvacuationPlan["destinations"],
  reason: string,
): SojournError {
  const each = destinations.map(
    ({ host: name, available_mib: mib, error }) =>
      error?.message ?? `${name} has ${Math.floor(mib ?? 0)} MiB free`,
  );
  return preconditionError(
    "SOJ_EVACUATION_NOWHERE",
    `${host} is not emptied, and no guest was touched: ${reason} (${each.join("; ")})`.slice(
      0,
      2_000,
    ),
    {
      guestState: "untouched",
      retryable: true,
      hint: "name other hosts with --to, make room, or end a destination's maintenance",
    },
  );
}

/** Of one guest, when its turn comes. */
export function noRoom(
  guest: string,
  neededMib: number,
  host: string,
  destinations: EvacuationPlan["destinations"],
): SojournError {
  const { message } = nowhere(host, destinations, "");
  const each = message.slice(message.indexOf("("));
  return preconditionError(
    "SOJ_EVACUATION_NO_ROOM",
    `${guest} needs ${neededMib} MiB, and no destination has them: it runs on at ${host} ${each}`,
    {
      guestState: "running-at-source",
      retryable: true,
      hint: `make room, then: sojourn migrate ${guest} --to HOST`,
    },
  );
}

export function gone(guest: string, host: string): SojournError {
  return preconditionError(
    "SOJ_GUEST_NOT_RUNNING",
    `${guest} does not run on ${host} any more: it has ended, or was moved by others`,
    { hint: `sojourn guest show ${guest}` },
  );
}

export function unstored(host: string, cause: unknown): SojournError {
  return new SojournError(
    "SOJ_EVACUATION_UNSTORED",
    `${host} is not emptied, and no guest was touched: the evacuation cannot be stored: ${(cause as Error).message}`,
    {
      ...{ cause, exitCode: 3, httpStatus: 503, retryable: true, guestState: "untouched" },
      hint: `make room on the disk of the daemon's state folder; ${host} is in maintenance until: sojourn maintenance off`,
    },
  );
}

export function anchorDestination(host: string): SojournError {
  return anchorError(host, "no guest can go there");
}
