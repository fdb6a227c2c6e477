import type { Evacuation, SojournClient } from "../../client/index.ts";
import { delay, monotonicMs } from "../../platform/clock.ts";
import { asSojournError, ExitCode, SojournError } from "../../platform/errors.ts";
import type { EvacuationView } from "./view.ts";

/** Between two looks. */
const lookMs = 500;

/** How long a daemon that went away is waited for: restarted, it first looks at every guest. */
const patienceMs = 60_000;

/**
 * Shows an evacuation until it has ended, also across restarts of the daemons that are asked; null when `signal` fired
 * first.
 * @throws SojournError what the daemon answers at first, or `SOJ_DAEMON_UNREACHABLE` when it does not come back in time.
 */
export async function followEvacuation(
  client: Pick<SojournClient, "getEvacuation">,
  id: string,
  view: EvacuationView,
  signal: AbortSignal,
): Promise<Evacuation | null> {
  let seen: Evacuation | null = null;
  let lostAtMs: number | null = null;
  try {
    while (!signal.aborted) {
      try {
        seen = await client.getEvacuation(id);
        lostAtMs = null;
        view.show(seen);
        if (seen.state !== "running") return seen;
      } catch (error) {
        if (seen === null || !mayComeBack(error)) throw error;
        lostAtMs ??= monotonicMs();
        if (monotonicMs() - lostAtMs > patienceMs) throw lost(seen, error);
      }
      await delay(lookMs, signal).catch(() => {});
    }
    return null;
  } finally {
    view.close();
  }
}

/** A daemon whose peer is being restarted does not know the peer's evacuation meanwhile. */
function mayComeBack(thrown: unknown): boolean {
  const { code, retryable } = asSojournError(thrown);
  return retryable || code === "SOJ_EVACUATION_UNKNOWN" || code === "SOJ_PEER_UNREACHABLE";
}

function lost({ id, host }: Evacuation, cause: unknown): SojournError {
  return new SojournError(
    "SOJ_DAEMON_UNREACHABLE",
    `${host}'s daemon went away, and evacuation ${id} waits for it; guests that it had sent off go on by themselves`,
    {
      ...{ cause, exitCode: ExitCode.unreachable, retryable: true, guestState: "unknown" },
      hint: `start the daemon on ${host}; the evacuation goes on by itself, and sojourn evacuation watch ${id} follows it`,
    },
  );
}
