import { afterAll, beforeAll, expect, test } from "vitest";
import { ChainLab, home } from "./support/chain-lab.ts";
import { chainKills, testChainKills } from "./support/killed-chains.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** A guest between two hosts that are not its home, while a daemon of the three is dead. */
let chain: ChainLab;

recordEachFault(() => chain);

beforeAll(async () => {
  chain = await ChainLab.up(`chains${process.pid}`);
});

afterAll(() => chain?.[Symbol.asyncDispose]());

test("[rows 52] home is down when a move is asked for: refused at once, and nothing has changed anywhere", async () => {
  const { from, to } = await chain.sides();
  await chain.kill(home);
  const startedMs = performance.now();
  const { exitCode, last } = await chain.move(from, to).ended;
  expect(performance.now() - startedMs).toBeLessThan(10_000);
  expect({ exitCode, last }).toMatchObject({
    exitCode: 3,
    last: { type: "error", code: "SOJ_HOME_UNREACHABLE", guest_state: "untouched" },
  });
  expect(await chain.placeAt(from)).toEqual({ state: "running", host: from });
  expect(await chain.placeAt(to)).toBeNull();
  await chain.restart(home);
  await chain.expectAt(from);
});

testChainKills(() => chain, chainKills.sample);

test("[rows 52] home after all that, and nothing is left", async () => {
  await chain.expectWayHome();
});
