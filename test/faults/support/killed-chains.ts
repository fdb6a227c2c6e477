import { expect, test } from "vitest";
import { delay } from "../../../src/platform/clock.ts";
import type { ChainLab, Party } from "./chain-lab.ts";
import { afterRecord, beforeRecord, type CodePlace } from "./pause-point.ts";

/** Whose daemons die when that of one of the three parties stands at a place. */
interface ChainKill {
  stands: Party;
  at: CodePlace;
  dies: readonly Party[];
  /** Where the guest must be afterwards, if only one place is right. */
  ends?: "from" | "to";
  /** The dead stay dead for so long. */
  deadMs?: number;
}

const always = { condition: "true" };

/** At home: in writing, before the route is changed. */
const homeRepoints = { text: "replaceRoute(redirectRoute(address, ready)", ...always };
/** At home: its tunnel to the destination stands, the source does not know yet. */
const homeIsReady = { text: '"ready to re-point"', ...always };
/** At the source: the destination's tunnels stand. */
const homeIsProved = { text: '.call("probe-repoint"', ...always };
/** At the destination: the guest runs, home does not know yet. */
const destinationTells = { text: '.call("repoint", request', ...always };
/** At the destination: home knows, this host has not noted that. */
const homeIsTold = { text: "const { homeUntold: _told", ...always };
/** At the source: the guest runs elsewhere, the tunnel to it is still needed. */
const sourceWaits = { text: '.call("await-repoint"', ...always };
/** At the source: everything has gone but what home keeps. */
const sourceReleases = { text: '.call("release-repoint"', ...always };

export const chainKills = {
  sample: {
    "home dies before it re-points: packets go by way of the source until it is back, the move completes":
      { stands: "to", at: destinationTells, dies: ["home"], ends: "to", deadMs: 1_000 },
    "the destination dies before it tells home": {
      ...{ stands: "to", at: destinationTells, dies: ["to"], ends: "to" },
    },
  },
  others: {
    "home dies between its record and its route": {
      ...{ stands: "home", at: homeRepoints, dies: ["home"], ends: "to" },
    },
    "the source dies while it waits for home": {
      ...{ stands: "from", at: sourceWaits, dies: ["from"], ends: "to" },
    },
    "home dies once it is ready": {
      ...{ stands: "home", at: homeIsReady, dies: ["home"], ends: "from" },
    },
    "home dies before its own readiness barrier": {
      ...{ stands: "from", at: homeIsProved, dies: ["home"], ends: "from" },
    },
    "home dies while the guest is about to be stopped": {
      ...{ stands: "from", at: afterRecord("pausing"), dies: ["home"] },
    },
    "home dies at the promise": {
      ...{ stands: "from", at: afterRecord("promise"), dies: ["home"] },
    },
    "home dies at the takeover, and stays away": {
      ...{ stands: "to", at: afterRecord("takeover"), dies: ["home"], ends: "to", deadMs: 15_000 },
    },
    "the source dies before the promise, home with it": {
      ...{ stands: "from", at: beforeRecord("promise"), dies: ["from", "home"], ends: "from" },
    },
    "the source dies after the promise": {
      ...{ stands: "from", at: afterRecord("promise"), dies: ["from"], ends: "from" },
    },
    "the source and home die after the takeover": {
      ...{ stands: "to", at: afterRecord("takeover"), dies: ["from", "home"], ends: "to" },
    },
    "the destination dies after the takeover": {
      ...{ stands: "to", at: afterRecord("takeover"), dies: ["to"], ends: "to" },
    },
    "all three die after the takeover": {
      ...{ stands: "to", at: afterRecord("takeover"), dies: ["from", "to", "home"], ends: "to" },
    },
    "the destination dies once home is told": {
      ...{ stands: "to", at: homeIsTold, dies: ["to"], ends: "to" },
    },
    "all three die once home is told": {
      ...{ stands: "to", at: homeIsTold, dies: ["from", "to", "home"], ends: "to" },
    },
    "the source dies before it lets go of home": {
      ...{ stands: "from", at: sourceReleases, dies: ["from"], ends: "to" },
    },
    "home dies when it is let go": {
      ...{ stands: "from", at: sourceReleases, dies: ["home"], ends: "to" },
    },
    "the source and the destination die while home re-points": {
      ...{ stands: "home", at: homeRepoints, dies: ["from", "to"], ends: "to" },
    },
    "all three die while home re-points": {
      ...{ stands: "home", at: homeRepoints, dies: ["from", "to", "home"], ends: "to" },
    },
  },
} as const satisfies Record<string, Record<string, ChainKill>>;

/** The daemons' own start, when they are killed while the guest stands, comes on top of the deadline. */
const restartMs = 5_000;

/** One test for each: the killed come back, the guest runs once, and the client's session has lived through it. */
export function testChainKills(
  lab: () => ChainLab,
  kills: Readonly<Record<string, ChainKill>>,
): void {
  test.each(Object.entries(kills))(
    "[rows 52] %s",
    async (_title, { stands, at, dies, ends, deadMs = 0 }) => {
      const chain = lab();
      chain.allowFreeze(3_000 + restartMs);
      const { id, migration, from, to, dead } = await chain.moveAndKill(stands, at, dies);
      if (deadMs > 0) {
        await delay(deadMs);
        // Whatever home does not do, its kernel does.
        await chain.expectSessionAlive();
      }
      await Promise.all(dead.map((host) => chain.restart(host)));
      await migration.ended.catch(() => {});
      const place = await chain.expectSettled(id, from, to);
      if (ends !== undefined) expect(place).toBe(ends === "from" ? from : to);
    },
  );
}
