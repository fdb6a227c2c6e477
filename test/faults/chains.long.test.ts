import { afterAll, beforeAll, test } from "vitest";
import { ChainLab } from "./support/chain-lab.ts";
import { chainKills, testChainKills } from "./support/killed-chains.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Every daemon of a move between two hosts that are not the guest's home, killed where something has just been written. */
let chain: ChainLab;

recordEachFault(() => chain);

beforeAll(async () => {
  chain = await ChainLab.up(`chainslong${process.pid}`);
});

afterAll(() => chain?.[Symbol.asyncDispose]());

testChainKills(() => chain, chainKills.others);

test("[rows 52] home after all that, and nothing is left", async () => {
  await chain.expectWayHome();
});
