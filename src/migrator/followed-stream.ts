import type { GuestEvent } from "../hypervisor/hypervisor.ts";

/** How far a stream is that others began, told by the hypervisor's events and, now and then, by its answers. */
export type FollowedState = "awaited" | "streaming" | "stopped" | "left" | "stayed";

/** What is seen of the guest's process at its source. */
export type Sight =
  | { kind: "event"; name: string; status: string | null }
  /** The hypervisor's word for what the guest does, and whether something is sent. */
  | { kind: "answer"; runState: string; isSending: boolean }
  | { kind: "ended" }
  /** Nothing was sent for as long as anybody would wait for it. */
  | { kind: "overdue" };

/**
 * What follows from a sight. libvirt alone decides: a guest that runs again at its source has stayed, one whose process has
 * ended may have left. Pure.
 */
export function nextFollowed(state: FollowedState, sight: Sight): FollowedState {
  if (state === "left" || state === "stayed") return state;
  switch (sight.kind) {
    case "ended":
      return "left";
    case "overdue":
      return state === "awaited" ? "stayed" : state;
    case "event":
      return afterEvent(state, sight.name, sight.status);
    case "answer":
      return afterAnswer(state, sight);
  }
}

function afterEvent(state: FollowedState, name: string, status: string | null): FollowedState {
  // Before anything is sent its user has stopped it, and may let it go on.
  if (name === "STOP") return state === "awaited" ? state : "stopped";
  if (name === "RESUME") return state === "stopped" ? "stayed" : state;
  if (name !== "MIGRATION" || status === null) return state;
  if (state === "awaited" && ["setup", "active"].includes(status)) return "streaming";
  // One that is stopped runs again only when libvirt lets it.
  if (state === "streaming" && ["failed", "cancelled"].includes(status)) return "stayed";
  return state;
}

/** Events may have been missed: a daemon, or libvirt's, was away. */
function afterAnswer(
  state: FollowedState,
  { runState, isSending }: { runState: string; isSending: boolean },
): FollowedState {
  const runs = runState === "running";
  if (state === "awaited" && isSending) return runs ? "streaming" : "stopped";
  if (state === "awaited" && runState === "postmigrate") return "stopped";
  if (state === "streaming" && !isSending) return runs ? "stayed" : "stopped";
  // Paused by its user before; one that was sent is `postmigrate` until its end.
  if (state === "stopped" && !isSending && (runs || runState === "paused")) return "stayed";
  return state;
}

/** An event as far as it says something about the stream. */
export function sightOf({ name, data }: GuestEvent): Sight {
  const { status } = data;
  return { kind: "event", name, status: typeof status === "string" ? status : null };
}
