import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestLab } from "../support/lab.ts";
import { moveBackAndForth } from "./support/moves.ts";

/** The sample of the test suite; with SOJOURN_FAULTS_ALL it is twenty. */
const moves = process.env.SOJOURN_FAULTS_ALL ? 20 : 1;
const minimumPasses = 5;
/** The guest keeps one core busy all the time, so on a loaded machine a move takes its time. */
const timeoutMs = 600_000;

interface Memcheck {
  passes: number;
  corruptions: number;
  mib: number;
}

describe("a guest that writes and checks its memory without pause", () => {
  let lab: TestLab;

  beforeAll(async () => {
    const options = ["--hosts", "2", "--guest-append", "sojourn.memcheck=32"];
    lab = await TestLab.up(`memory${process.pid}`, options);
    for (const host of ["host-a", "host-b"]) {
      await lab.configure(host, `[migration]\nminimum_passes = ${minimumPasses}`);
    }
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test(`moves (${moves}) without a corrupt page or a complaint of its kernel`, {
    timeout: timeoutMs,
  }, async () => {
    let passes = (await memcheck()).passes;
    await moveBackAndForth(lab, moves, async ({ lines }, number) => {
      const syncs = lines.flatMap((line) => (line.type === "progress" ? [line.dirty_syncs] : []));
      expect(Math.max(...syncs), `dirty syncs of move ${number}`).toBeGreaterThanOrEqual(
        minimumPasses,
      );
      const now = await memcheck();
      expect(now, `after move ${number}`).toMatchObject({ corruptions: 0, mib: 32 });
      expect(now.passes, `passes after move ${number}`).toBeGreaterThan(passes);
      passes = now.passes;
    });
    const consoles = await Promise.all(["host-a", "host-b"].map(consolesOf));
    expect(consoles.join("\n")).toMatch(/memcheck: pass \d+ ok/);
    expect(consoles.join("\n").match(complaint) ?? []).toEqual([]);
  });

  async function memcheck(): Promise<Memcheck> {
    const address = "http://10.1.0.10/memcheck";
    return JSON.parse(await lab.run("client", ["busybox", "wget", "-qO-", address]));
  }

  /** Whatever the guest's processes on this host have written to their consoles. */
  function consolesOf(host: string): Promise<string> {
    return lab.run(host, ["sh", "-c", "cat /run/sojourn/guests/web1/*/console.log"]);
  }
});

const complaint =
  /^.*(\bBUG\b|Oops|Call Trace|segfault|general protection|panic|WARNING|soft lockup|rcu_.*stall|Out of memory|CORRUPT|ENDED with).*$/gm;
