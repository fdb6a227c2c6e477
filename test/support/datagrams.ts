import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const program = join(import.meta.dirname, "programs", "datagrams.pl");

/** What arrived at a unix datagram socket: each datagram is a line, its line feeds are semicolons. */
export interface Datagrams extends AsyncDisposable {
  socket: string;
  /** Resolves with the `times`-th datagram that begins with `start`. */
  heard(start: string, times?: number): Promise<string>;
  /** When such datagrams came (ms, monotonic). */
  instants(start: string): number[];
}

/** Receives datagrams in another process: Node has no such sockets, perl is part of every Debian. */
export async function receiveDatagrams(): Promise<Datagrams> {
  const folder = await mkdtemp(join(tmpdir(), "sojourn-notify-"));
  const socket = join(folder, "notify");
  const child = spawn("/usr/bin/perl", [program, socket], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: { text: string; atMs: number }[] = [];
  let changed = Promise.withResolvers<void>();
  child.on("error", changed.reject);
  createInterface({ input: child.stdout }).on("line", (text) => {
    lines.push({ text, atMs: performance.now() });
    changed.resolve();
    changed = Promise.withResolvers<void>();
  });
  const matching = (start: string) => lines.filter(({ text }) => text.startsWith(start));
  const heard = async (start: string, times = 1): Promise<string> => {
    for (;;) {
      const found = matching(start)[times - 1];
      if (found !== undefined) return found.text;
      await changed.promise;
    }
  };
  await heard("listening");
  return {
    socket,
    heard,
    instants: (start) => matching(start).map(({ atMs }) => atMs),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
}
