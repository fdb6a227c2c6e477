import { isIPv6 } from "node:net";
import { startTimer } from "../../platform/clock.ts";
import { runCommand } from "../../platform/command.ts";
import { SojournError } from "../../platform/errors.ts";
import type { GuestInstance } from "../hypervisor.ts";

/** Longest time the other side may take to shake hands. */
const limitMs = 1000;
/** How long QEMU may take to notice that the connection was cut. */
const noticeMs = 5000;

export interface StreamTarget {
  host: string;
  address: string;
  port: number;
}

/**
 * Runs `begin`, QMP `migrate` over TLS, and returns once both sides have shaken hands. Meanwhile QEMU's main loop
 * waits for the other side, and with it the monitor and the devices of the running guest (observed on 10.0.2: the
 * socket blocks), so a silent one is not waited for: the kernel is told to cut the connection
 * (sock_diag(7) SOCK_DESTROY, Linux 4.5, CONFIG_INET_DIAG_DESTROY).
 * @throws SojournError `SOJ_STREAM_SILENT`, `SOJ_STREAM_REFUSED` with QEMU's own words; the guest runs on.
 */
export async function boundHandshake(
  instance: Pick<GuestInstance, "waitForEvent" | "migrationProgress">,
  target: StreamTarget,
  begin: () => Promise<void>,
): Promise<void> {
  const left = new AbortController();
  const decided = instance.waitForEvent(
    "the end of the stream's TLS handshake",
    ({ name, data }) => name === "MIGRATION" && isDecisive(data.status),
    { timeoutMs: limitMs + noticeMs, signal: left.signal },
  );
  decided.catch(() => {});
  let cutting: Promise<unknown> | null = null;
  const timer = startTimer(() => {
    cutting = cutConnection(target).catch((error: unknown) => error);
  }, limitMs);
  try {
    await begin();
    if ((await decided).data.status === "active") return;
  } finally {
    timer.cancel();
    left.abort();
    await cutting;
  }
  throw cutting === null
    ? refused(target, (await instance.migrationProgress()).errorText ?? "it did not say why")
    : silent(target);
}

function isDecisive(status: unknown): boolean {
  return status === "active" || status === "failed" || status === "cancelled";
}

/** The kernel ends this process's and anybody's connections to that port. @throws SojournError where it cannot */
export async function cutConnection({ address, port }: StreamTarget): Promise<void> {
  const host = isIPv6(address) ? `[${address}]` : address;
  await runCommand("ss", ["-K", "-H", "-t", "-n", "dst", host, "dport", "=", String(port)]);
}

function refused({ host, address, port }: StreamTarget, words: string): SojournError {
  return new SojournError(
    "SOJ_STREAM_REFUSED",
    `no protected stream to ${host} (${address}:${port}): ${words}`,
    { hint: "both hosts need certificates of one authority that name them: sojourn doctor --peer" },
  );
}

function silent({ host, address, port }: StreamTarget): SojournError {
  return new SojournError(
    "SOJ_STREAM_SILENT",
    `${host} (${address}:${port}) did not shake hands for a protected stream within ${limitMs} ms`,
    { retryable: true, hint: "is the destination overloaded, or the path to it cut?" },
  );
}
