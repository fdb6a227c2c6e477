import { afterAll, beforeAll, expect, test } from "vitest";
import type { Evacuation, EvacuationPlan } from "../../src/daemon/evacuation/schemas.ts";
import { daemonSocket } from "../../src/lab/index.ts";
import { ScriptedGate } from "../faults/support/scripted-gate.ts";
import { daemonOf } from "../support/daemon-of.ts";
import { ask } from "../support/get.ts";
import { TestLab } from "../support/lab.ts";

const guests = ["web1", "web2", "web3", "web4"];
const wanted = { host: "host-a", to: ["host-b", "host-c"] };

let lab: TestLab;
let gate: ScriptedGate;

beforeAll(async () => {
  gate = new ScriptedGate();
  lab = await TestLab.up(`evacuation${process.pid}`, [
    ...["--hosts", "3", "--guests", `${guests.length}`, "--memory", "128"],
  ]);
  gate.say("planned", { decision: "deny", reason: "it is the database" });
  await lab.configure("host-a", `${gate.toml}\nguests = ["web3"]`);
});

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  gate?.[Symbol.dispose]();
});

test("a host is emptied through another one's daemon, also when its own is killed in the middle: all arrive but the one that may not", async () => {
  const plan = await asked<EvacuationPlan>("POST", "", { ...wanted, dry_run: true });
  expect(plan).toMatchObject({ type: "evacuation-plan", host: "host-a" });
  expect(plan.guests.map(({ guest }) => guest).toSorted()).toEqual(guests);
  expect(new Set(plan.guests.map(({ to }) => to))).toEqual(new Set(["host-b", "host-c"]));

  const begun = await asked<Evacuation>("POST", "", wanted);
  expect(begun).toMatchObject({ host: "host-a", state: "running" });
  await expect(asked("POST", "", wanted)).rejects.toThrow("SOJ_EVACUATION_RUNNING");
  await until(
    begun.id,
    ({ guests }) => count(guests, "moved") > 0 && count(guests, "migrating") > 0,
  );
  expect((await lab.cli(["lab", "kill", "--lab", lab.name, "host-a"])).exitCode).toBe(0);
  await expect(asked("GET", `/${begun.id}`)).rejects.toThrow("no answer from host-a");
  expect((await lab.cli(["lab", "restart", "--lab", lab.name, "host-a"])).exitCode).toBe(0);

  const ended = await until(begun.id, ({ ended_ms: endedMs }) => endedMs !== null);
  expect(ended.state, JSON.stringify(ended)).toBe("incomplete");
  for (const { guest, state, error, blackout_ms: blackoutMs, to } of ended.guests) {
    if (guest === "web3") {
      expect({ state, error }).toMatchObject({
        state: "failed",
        error: { code: "SOJ_DENIED_BY_GATE", exit_code: 4 },
      });
      continue;
    }
    expect({ guest, state, error }).toEqual({ guest, state: "moved", error: null });
    // Of one that stood when its daemon was killed nobody has measured it.
    expect(blackoutMs ?? Number.MIN_VALUE).toBeGreaterThan(0);
    const { state: there } = await daemonOf(lab.name, to ?? "").showGuest(guest);
    expect(there).toBe("running");
  }
  const source = daemonOf(lab.name, "host-a");
  expect(await source.showGuest("web3")).toMatchObject({ state: "running", host: "host-a" });
  const { migrations } = await source.listMigrations();
  const completed = migrations.filter(({ state }) => state === "completed");
  expect(completed.map(({ guest }) => guest).toSorted()).toEqual(["web1", "web2", "web4"]);
  // What is in maintenance since takes nobody back.
  await expect(
    daemonOf(lab.name, "host-b").planMigration({ guest: "web1", to: "host-a" }),
  ).rejects.toMatchObject({ code: "SOJ_HOST_MAINTENANCE" });
});

/** Asked of host-b, which is not the one that is emptied. @throws Error what the daemon says. */
async function asked<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  const socket = daemonSocket(lab.name, "host-b");
  const reply = await ask(
    socket,
    `/v1/evacuations${path}`,
    body === undefined ? { method } : { method, body },
  );
  if (reply.status < 300) return JSON.parse(reply.body);
  throw new Error(reply.body);
}

async function until(id: string, isSo: (evacuation: Evacuation) => boolean): Promise<Evacuation> {
  let last: Evacuation | null = null;
  await expect
    .poll(
      async () => {
        last = await asked<Evacuation>("GET", `/${id}`).catch(() => last);
        return last !== null && isSo(last);
      },
      { timeout: 120_000, interval: 50 },
    )
    .toBe(true);
  return last as unknown as Evacuation;
}

function count(guests: Evacuation["guests"], state: string): number {
  return guests.filter((guest) => guest.state === state).length;
}
