import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestLab } from "../support/lab.ts";
import { blobBytes } from "./support/blob.ts";
import type { DownloadLine } from "./support/download-client.ts";
import { moreEchoes, openSession } from "./support/echo-session.ts";
import type { ListenerLine } from "./support/listener.ts";
import { move, moveBackAndForth } from "./support/moves.ts";
import { NodeProgram } from "./support/node-program.ts";

const guest = "10.1.0.10";
const listenerPort = "7100";
/** The sample of the test suite; scripts/faults makes all ten. */
const moves = process.env.SOJOURN_FAULTS_ALL ? 10 : 2;

describe("sessions of a guest that moves", () => {
  let lab: TestLab;
  let overlay: string;

  beforeAll(async () => {
    overlay = callingGuest();
    lab = await TestLab.up(`sessions${process.pid}`, ["--hosts", "2", "--guest-overlay", overlay]);
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
    rmSync(overlay, { recursive: true, force: true });
  });

  test(`[rows 38] an interactive session lives through ${moves} moves, every byte in order`, async () => {
    await using session = await openSession(lab);
    await moveBackAndForth(lab, moves, async (_outcome, number) => {
      await moreEchoes(session, 20);
      expect(session.isRunning(), `after move ${number}`).toBe(true);
    });
    const { sent, ...result } = await session.finish();
    expect(result).toEqual({ echoed: sent, wrong: null, broken: null, ended: true });
    expect(sent).toBeGreaterThan(moves * 50);
  });

  test("[rows 38] a download that runs across a move arrives complete and unchanged", async () => {
    const bytes = 64 * 1024 * 1024;
    const args = [guest, String(bytes), String(2 * 1024 * 1024)];
    await using download = NodeProgram.start<DownloadLine>(
      lab.name,
      "client",
      "download-client.ts",
      args,
    );
    await download.line(({ received }) => received > 0);
    const before = download.lines.at(-1)?.received ?? 0;
    await move(lab, "host-a", "host-b");
    const after = download.lines.at(-1)?.received ?? 0;
    expect(after).toBeGreaterThan(before);
    expect(after).toBeLessThan(bytes);
    download.say("hurry");
    const expected = createHash("sha256").update(blobBytes(bytes)).digest("hex");
    expect(await download.finish()).toEqual({ received: bytes, sha256: expected });
  });

  test("new sessions open in both directions where the guest is now, and after its return", async () => {
    for (const place of ["away", "home again"]) {
      await using session = await openSession(lab);
      expect(await session.finish(), place).toMatchObject({ broken: null, wrong: null });

      await using listener = NodeProgram.start<ListenerLine>(lab.name, "client", "listener.ts", [
        listenerPort,
      ]);
      expect(await listener.line(() => true, 15_000), place).toEqual({
        from: guest,
        said: "web1 calls\n",
      });
      if (place === "away") await move(lab, "host-b", "host-a");
    }
  });
});

/** Overlay of a guest that calls the client again and again. */
function callingGuest(): string {
  const folder = mkdtempSync(join(tmpdir(), "sojourn-calls-"));
  mkdirSync(join(folder, "etc"));
  const call = `echo "$(hostname) calls" | nc -w 2 192.0.2.2 ${listenerPort}`;
  const script = `#!/bin/sh\nwhile :; do ${call}; sleep 0.3; done >/dev/null 2>&1\n`;
  writeFileSync(join(folder, "etc/rc.local"), script, { mode: 0o755 });
  return folder;
}
