import { readFileSync } from "node:fs";

/** Names this boot of the machine: CLOCK_MONOTONIC of one boot means nothing in another (proc(5), random/boot_id). */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
