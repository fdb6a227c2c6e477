import { createServer } from "node:net";
import { startTimer } from "../../platform/clock.ts";
import { SojournError } from "../../platform/errors.ts";
import type { GuestInstance, MigrationStatus } from "../hypervisor.ts";
import type { Execute } from "./capabilities.ts";
import { type PortRange, uriHost, wholeNumber } from "./migration.ts";
import { QmpCommandError } from "./qmp/errors.ts";
import { cutConnection, type StreamTarget } from "./stream-handshake.ts";

/** How long QEMU may take to notice that it was told to give the connection up; 100 ms seen. */
const noticeMs = 5000;
/** Longest time the other side may take to agree on what is still to be sent; 5 ms seen, with TLS 140 ms. */
const agreementMs = 3000;
/** A free port may be taken by another before QEMU has it. */
const freePortAttempts = 5;

/**
 * `migrate-pause`, QAPI; returns once QEMU is `postcopy-paused`. Where no pages follow, because the connection has broken
 * already or all of them are there, nothing happens. A source must not do so before its destination's guest is out of
 * `inmigrate`: the destination gives up then, and QEMU 10.0 runs the source's guest never again.
 */
export async function pausePostCopy(
  instance: Pick<GuestInstance, "waitForEvent">,
  execute: Execute,
): Promise<void> {
  const left = new AbortController();
  const paused = awaitStatus(instance, ["postcopy-paused"], noticeMs, left.signal);
  try {
    await execute("migrate-pause");
    await paused;
  } catch (error) {
    if (!(error instanceof QmpCommandError)) throw error;
  } finally {
    left.abort();
  }
}

/**
 * `migrate-recover`, QAPI. The port is chosen here: QEMU's main loop hangs as soon as one of its devices touches a page that
 * is missing, and what would tell the port hangs with it. A port of an earlier call is closed.
 * @throws SojournError `SOJ_HYPERVISOR_REFUSED` unless `postcopy-paused`, and when no port is free
 */
export async function listenForRecovery(
  execute: Execute,
  address: string,
  ports: PortRange | null,
): Promise<{ port: number }> {
  let refusal: unknown = new Error("no port was tried");
  for await (const port of candidates(address, ports)) {
    try {
      await execute("migrate-recover", { uri: `tcp:${uriHost(address)}:${port}` });
      return { port };
    } catch (error) {
      if (!isTaken(error)) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

/**
 * QMP `migrate` with `resume`, protected by the credentials of the stream that broke; returns once pages follow again. The
 * handshake over TLS holds QEMU's main loop up, which a silent destination does here for a bounded time.
 * @throws SojournError `SOJ_STREAM_REFUSED`, `SOJ_STREAM_SILENT`: it is paused as before, and may be tried again
 */
export async function resumePostCopy(
  instance: Pick<GuestInstance, "waitForEvent" | "migrationProgress">,
  execute: { inBand: Execute; outOfBand: Execute },
  target: StreamTarget,
): Promise<void> {
  const uri = `tcp:${uriHost(target.address)}:${wholeNumber("port", target.port, 65_535)}`;
  const left = new AbortController();
  const limitMs = agreementMs + noticeMs;
  const ends = ["postcopy-active", "postcopy-paused", "completed"] as const;
  const decided = awaitStatus(instance, ends, limitMs, left.signal);
  let giveUp: Promise<unknown> | null = null;
  const timer = startTimer(() => {
    const told = [cutConnection(target), execute.outOfBand("migrate-pause")];
    giveUp = Promise.allSettled(told);
  }, agreementMs);
  try {
    await execute.inBand("migrate", { uri, resume: true });
    if ((await decided) !== "postcopy-paused") return;
  } finally {
    timer.cancel();
    left.abort();
    await giveUp;
  }
  const { errorText } = await instance.migrationProgress();
  throw giveUp === null ? refused(target, errorText ?? "it did not say why") : silent(target);
}

/** The first of these that QEMU tells from now on. */
function awaitStatus<Status extends MigrationStatus>(
  instance: Pick<GuestInstance, "waitForEvent">,
  statuses: readonly Status[],
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Status> {
  const told = (status: unknown) => statuses.find((one) => one === status);
  const awaited = instance
    .waitForEvent(
      `migration status ${statuses.join(" or ")}`,
      ({ name, data }) => name === "MIGRATION" && told(data.status) !== undefined,
      { timeoutMs, signal },
    )
    .then(({ data }) => data.status as Status);
  awaited.catch(() => {});
  return awaited;
}

async function* candidates(address: string, ports: PortRange | null): AsyncGenerator<number> {
  if (ports === null) {
    for (let attempt = 0; attempt < freePortAttempts; attempt++) yield await freePort(address);
    return;
  }
  for (let port = ports.first; port <= ports.last; port++) yield port;
}

/** One that the kernel gives, and that nobody has a moment later. */
function freePort(address: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer();
  server.on("error", (cause) => reject(cannotListen(address, cause)));
  server.listen(0, address, () => {
    const bound = server.address();
    const port = bound !== null && typeof bound === "object" ? bound.port : 0;
    server.close(() => resolve(port));
  });
  return promise;
}

function isTaken(error: unknown): boolean {
  return error instanceof QmpCommandError && /address already in use/i.test(error.description);
}

function cannotListen(address: string, cause: Error): SojournError {
  return new SojournError(
    "SOJ_HYPERVISOR_REFUSED",
    `nothing can listen on ${address} for the rest of the guest's memory: ${cause.message}`,
    { cause, retryable: true },
  );
}

function refused({ host, address, port }: StreamTarget, words: string): SojournError {
  return new SojournError(
    "SOJ_STREAM_REFUSED",
    `the rest of the guest's memory does not get to ${host} (${address}:${port}): ${words}`,
    { retryable: true, hint: "it is kept here; the guest waits at the destination for it" },
  );
}

function silent({ host, address, port }: StreamTarget): SojournError {
  return new SojournError(
    "SOJ_STREAM_SILENT",
    `${host} (${address}:${port}) did not agree within ${agreementMs} ms on what memory of the guest is missing`,
    { retryable: true, hint: "it is kept here; the guest waits at the destination for it" },
  );
}
