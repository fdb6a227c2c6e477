import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { downLab } from "../../src/lab/index.ts";
import { existingNamespaces } from "../../src/lab/namespaces.ts";
import { makeStandInCheckout } from "../support/stand-in-checkout.ts";

const lab = `busy${process.pid}`;
let checkout: string;

beforeEach(async () => {
  checkout = await mkdtemp(join(tmpdir(), "sojourn-busy-"));
  makeStandInCheckout(checkout);
});
afterEach(async () => {
  await downLab(lab);
  await rm(checkout, { recursive: true, force: true });
});

test("scripts/busy-guests moves a guest that writes over a limited link, and tells how it went", async () => {
  // One cell of the sample; a loaded machine is given more time.
  const cell = ["--memory", "96", "--dirty", "0.5x", "--timeout", "90"];
  const where = ["--lab", lab, "--out", join(checkout, "out")];
  const { exitCode, stdout, stderr } = await execa(
    join(checkout, "scripts", "busy-guests"),
    ["--sample", ...cell, ...where, "--json"],
    { reject: false, stdin: "ignore" },
  );
  expect(exitCode, stderr + stdout.slice(-2_000)).toBe(0);
  const [run, summary] = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === "run" || type === undefined);
  expect(run).toMatchObject({ failed: null, outcome: "completed", blackout_limit_ms: 300 });
  // The link was the bound: what was sent could not have gone faster.
  expect(run.lasted_ms).toBeGreaterThan(((run.transferred_bytes * 8) / 200e6) * 1000);
  expect(run.passes).toBeGreaterThanOrEqual(2);
  expect(run.dirty_mbps).toBeGreaterThan(0);
  expect(run.dirty_mbps).toBeLessThan(150);
  expect(run.sessions_broken).toBe(0);
  expect(run.within_limit).toBe(run.blackout_ms <= 300);
  expect(summary.corrupt_pages).toBe(0);
  expect(summary.moves.outcomes).toEqual({ completed: 1 });
  expect(summary.within_limit).toMatchObject({ of: 1, within: run.within_limit ? 1 : 0 });

  const results = JSON.parse(await readFile(join(checkout, "out", "results.json"), "utf8"));
  expect(results).toMatchObject({
    ...{ progress: "complete", machine: { accelerator: expect.stringMatching(/kvm|tcg/) } },
    measured: [{ memory_mib: 96, link_mbps: 200, dirty_mbytes_per_second: 12.5, traffic: "idle" }],
  });
  expect(existingNamespaces(lab)).toEqual([]);
});
