/**
 * A host is emptied of all its guests, several at a time and one after another, in turn in one lab.
 * usage: evacuation.ts [--guests N] [--memory MIB] [--link-mbps N] [--runs N] [--json] [--lab NAME]; see
 * scripts/evacuation.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Connection } from "../../src/client/connection.ts";
import type { Evacuation } from "../../src/daemon/evacuation/schemas.ts";
import { daemonSocket } from "../../src/lab/index.ts";
import { inLab, type MovingLab, print } from "./lab-moves.ts";
import { numberOf } from "./number-option.ts";

const source = "host-a";
const destinations = ["host-b", "host-c"];
const pollMs = 50;

/** How many guests go at once: what an evacuation does by itself, and one after another. */
const ways = { together: 2, "one by one": 1 } as const;

type Way = keyof typeof ways;

/** One evacuation, as a line of `--json`. */
interface Run {
  round: number;
  way: Way;
  seconds: number;
  blackouts_ms: (number | null)[];
}

const { values: options } = parseArgs({
  options: {
    guests: { type: "string", default: "4" },
    memory: { type: "string", default: "128" },
    "link-mbps": { type: "string", default: "200" },
    runs: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
    lab: { type: "string", default: "evacuation" },
  },
});
const number = (name: "guests" | "memory" | "link-mbps" | "runs", most: number) =>
  numberOf("evacuation", name, options[name], most);
const runs = number("runs", 1_000);
const wish = {
  hosts: 1 + destinations.length,
  guests: number("guests", 32),
  memoryMib: number("memory", 4_096),
  linkMbps: number("link-mbps", 100_000),
};

await inLab("evacuation", options.lab, measure, wish);

async function measure(lab: MovingLab): Promise<void> {
  const measured: Run[] = [];
  for (let round = 1; round <= runs; round += 1) {
    for (const way of waysOf(round)) {
      const ended = await evacuate(lab, source, destinations, ways[way]);
      const seconds = ((ended.ended_ms ?? 0) - ended.started_ms) / 1_000;
      const blackouts = ended.guests.map(({ blackout_ms: blackoutMs }) => blackoutMs);
      const run: Run = { round, way, seconds, blackouts_ms: blackouts };
      measured.push(run);
      print(options.json ? JSON.stringify(run) : `${way}: ${seconds.toFixed(1)} s`);
      await bringHome(lab);
    }
  }
  const summary = summaryOf(measured);
  if (options.json) print(JSON.stringify(summary));
  else {
    const { together, one_by_one, ratio } = summary;
    print(
      `${wish.guests} guests of ${wish.memoryMib} MiB, links of ${wish.linkMbps} Mbit/s, median of ${runs}: together ${together} s, one by one ${one_by_one} s, ratio ${ratio}`,
    );
  }
}

/** Each way begins a round in turn. */
function waysOf(round: number): Way[] {
  const all: Way[] = ["together", "one by one"];
  return round % 2 === 1 ? all : all.toReversed();
}

/** @throws Error unless every guest was moved. */
async function evacuate(
  lab: MovingLab,
  host: string,
  to: readonly string[],
  parallel: number,
): Promise<Evacuation> {
  const daemon = daemonOf(lab, host);
  const body = { to, parallel };
  let evacuation = await daemon.json<Evacuation>({ method: "POST", path: "/v1/evacuations", body });
  while (evacuation.ended_ms === null) {
    await sleep(pollMs, undefined, { signal: lab.signal });
    const path = `/v1/evacuations/${evacuation.id}`;
    evacuation = await daemon.json<Evacuation>({ method: "GET", path });
  }
  await daemon.json({ method: "PUT", path: "/v1/host/maintenance", body: { on: false } });
  if (evacuation.state === "completed") return evacuation;
  throw new Error(`${host} is not empty: ${JSON.stringify(evacuation.guests)}`);
}

async function bringHome(lab: MovingLab): Promise<void> {
  for (const host of destinations) await evacuate(lab, host, [source], 1);
}

function daemonOf(lab: MovingLab, host: string): Connection {
  return new Connection({ socketPath: daemonSocket(lab.name, host) });
}

function summaryOf(measured: readonly Run[]) {
  const medianOf = (wanted: Way) => {
    const sorted = measured
      .filter(({ way }) => way === wanted)
      .map(({ seconds }) => seconds)
      .toSorted((one, other) => one - other);
    const middle = sorted.slice(
      Math.ceil(sorted.length / 2) - 1,
      Math.floor(sorted.length / 2) + 1,
    );
    return middle.reduce((sum, seconds) => sum + seconds, 0) / middle.length;
  };
  const [together, oneByOne] = [medianOf("together"), medianOf("one by one")];
  const blackouts = measured.flatMap(({ blackouts_ms: all }) => all.flatMap((one) => one ?? []));
  return {
    type: "summary",
    runs,
    guests: wish.guests,
    memory_mib: wish.memoryMib,
    link_mbps: wish.linkMbps,
    together: Number(together.toFixed(2)),
    one_by_one: Number(oneByOne.toFixed(2)),
    ratio: Number((together / oneByOne).toFixed(2)),
    longest_blackout_ms: Math.max(...blackouts),
  };
}
