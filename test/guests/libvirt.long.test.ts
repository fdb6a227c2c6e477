import { afterAll, beforeAll, expect, test } from "vitest";
import { TestLab } from "../support/lab.ts";
import { openSession } from "./support/echo-session.ts";
import { moveBackAndForth } from "./support/moves.ts";

/** A libvirt domain that dirties memory faster than a pass of the stream is over. */
let lab: TestLab;

beforeAll(async () => {
  const busy = ["--guest-append", "sojourn.memcheck=32"];
  lab = await TestLab.up(`lvbusy${process.pid}`, ["--hosts", "2", "--libvirt", ...busy]);
  await lab.run("host-a", ["sojourn", "guest", "adopt", "web1", "--libvirt"]);
});

afterAll(() => lab?.[Symbol.asyncDispose]());

test("a domain that writes and checks its memory without pause moves without a corrupt page", {
  timeout: 600_000,
}, async () => {
  await using session = await openSession(lab);
  let passes = (await memcheck()).passes;
  await moveBackAndForth(lab, 6, async ({ report }, number) => {
    const now = await memcheck();
    expect(now, `after move ${number}`).toMatchObject({ corruptions: 0, mib: 32 });
    expect(now.passes, `passes after move ${number}`).toBeGreaterThan(passes);
    expect(report?.blackout_ms, `blackout of move ${number}`).toBeLessThan(1_000);
    passes = now.passes;
  });
  const { sent, ...result } = await session.finish();
  expect(result).toEqual({ echoed: sent, wrong: null, broken: null, ended: true });
});

async function memcheck(): Promise<{ passes: number; corruptions: number; mib: number }> {
  const address = "http://10.1.0.10/memcheck";
  return JSON.parse(await lab.run("client", ["busybox", "wget", "-qO-", address]));
}
