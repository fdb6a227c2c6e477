import type { GuestEvent } from "../../hypervisor/hypervisor.ts";
import { migrationPort, progressFromReply } from "../../hypervisor/qemu/migration-replies.ts";
import { hostAddresses } from "../../lab/layout.ts";
import { delay, monotonicMs } from "../../platform/clock.ts";
import { SojournError } from "../../platform/errors.ts";
import type { Blackout, EventTimes } from "./blackout.ts";
import type { PlainQemu } from "./plain-qemu.ts";

const moveWithinMs = 180_000;
const endWithinMs = 10_000;
/** Without `return-path` the source would say `completed` before the destination has loaded anything. */
const capabilities = ["events", "return-path"];
/** QEMU's own defaults, said aloud so that every version does the same: 300 ms, 128 MiB/s. */
const parameters = { "downtime-limit": 300, "max-bandwidth": 128 * 1024 * 1024 };
const announcement = { initial: 50, max: 550, rounds: 5, step: 100 };

/** How a move ended: where the guest runs now, and why it did not move where there is no blackout. */
export interface MoveEnd {
  blackout: Blackout | null;
  at: PlainQemu;
  error: unknown;
}

/**
 * A plain live migration: QEMU decides when to stop the guest, the destination runs it as soon as it has it and
 * announces it. Leaves exactly one of the two processes running the guest, named in `at`.
 * @throws SojournError when neither runs it any more.
 */
export async function moveGuest(
  source: PlainQemu,
  destination: PlainQemu,
  times: EventTimes,
  signal: AbortSignal,
): Promise<MoveEnd> {
  const deaf = [source, destination].map((qemu) => qemu.listen((event) => times.see(event)));
  try {
    return { blackout: await migrate(source, destination, signal), at: destination, error: null };
  } catch (error) {
    return { blackout: null, at: await settleOnOne(source, destination), error };
  } finally {
    for (const stopListening of deaf) stopListening();
  }
}

async function migrate(
  source: PlainQemu,
  destination: PlainQemu,
  signal: AbortSignal,
): Promise<Blackout> {
  const { underlayAddress } = hostAddresses(destination.host);
  await setCapabilities(destination);
  await destination.execute("migrate-incoming", { uri: `tcp:${underlayAddress}:0` });
  const port = migrationPort(await destination.execute("query-migrate"));
  if (port === null) throw failed("the destination does not say on which port it listens");

  await setCapabilities(source);
  await source.execute("migrate-set-parameters", parameters);
  const events = Promise.all([
    source.event("STOP", moveWithinMs, signal),
    destination.event("RESUME", moveWithinMs, signal),
    source.wait("end of the migration", isCompleted, moveWithinMs, signal),
  ]);
  // The command may fail before the events are awaited.
  events.catch(() => {});
  await source.execute("migrate", { uri: `tcp:${underlayAddress}:${port}` });
  const [stop, resume] = await events;
  const states = await Promise.all([source.runState(), destination.runState()]);
  if (states[1] !== "running" || states[0] === "running") {
    throw failed(`after it the source is ${states[0]} and the destination ${states[1]}`);
  }
  return { stop, resume, stopHost: source.host, resumeHost: destination.host };
}

/** After a failure or an interruption anywhere: the guest runs in one process, at the source if that can be. */
async function settleOnOne(source: PlainQemu, destination: PlainQemu): Promise<PlainQemu> {
  const arrived = (await endOfStream(source)) === "completed" && destination.isAlive();
  if (arrived && (await destination.runState()) === "running") return destination;
  await destination[Symbol.asyncDispose]();
  if ((await source.runState()) !== "running") await source.execute("cont");
  // The destination may have run and announced itself, and a guest that only listens would stay unheard.
  await source.execute("announce-self", announcement);
  return source;
}

async function endOfStream(source: PlainQemu): Promise<string> {
  if (!source.isAlive()) return "completed";
  const deadlineMs = monotonicMs() + endWithinMs;
  let isCancelled = false;
  for (;;) {
    const { status, errorText } = progressFromReply(await source.execute("query-migrate")).progress;
    if (["none", "completed", "failed", "cancelled"].includes(status)) return status;
    if (monotonicMs() > deadlineMs) throw failed(`its status stays ${status}: ${errorText}`);
    // Once the guest's last state is under way, both sides could run it after a cancellation.
    if (!isCancelled && status !== "device") {
      await source.execute("migrate_cancel");
      isCancelled = true;
    }
    await delay(10);
  }
}

function isCompleted({ name, data }: GuestEvent): boolean {
  if (name !== "MIGRATION") return false;
  if (data.status === "failed" || data.status === "cancelled") {
    throw failed(`QEMU says ${data.status}`);
  }
  return data.status === "completed";
}

async function setCapabilities(qemu: PlainQemu): Promise<void> {
  await qemu.execute("migrate-set-capabilities", {
    capabilities: capabilities.map((capability) => ({ capability, state: true })),
  });
}

function failed(reason: string): SojournError {
  return new SojournError("SOJ_BENCH_MOVE", `the plain migration did not complete: ${reason}`);
}
