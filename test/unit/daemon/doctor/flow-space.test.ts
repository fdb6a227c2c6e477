import { expect, test } from "vitest";
import { checkFlowSpace } from "../../../../src/daemon/doctor/host/flow-space.ts";

async function check(count: string | null, max: string | null) {
  const values = new Map([
    ["net/netfilter/nf_conntrack_count", count],
    ["net/netfilter/nf_conntrack_max", max],
  ]);
  return await checkFlowSpace(async (path) => values.get(path) ?? null);
}

test("a table of connections that fills up is warned of before it drops anything", async () => {
  expect(await check("10", "1000")).toMatchObject({
    result: "ok",
    detail: "10 of 1000 connections",
  });
  const mend = "sysctl -w net.netfilter.nf_conntrack_max=2000";
  expect(await check("800", "1000")).toMatchObject({ result: "warn", mend, fixable: false });
  expect(await check("960", "1000")).toMatchObject({ result: "fail", mend });
});

test("a kernel without a limit, or that tracks nothing yet, has room", async () => {
  expect(await check("960", "0")).toMatchObject({ result: "ok" });
  expect(await check(null, null)).toMatchObject({ result: "ok" });
});
