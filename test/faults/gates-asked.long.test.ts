import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { GatePoint } from "../../src/migrator/gates.ts";
import type { MigrationReport } from "../../src/migrator/report.ts";
import { FaultLab, rolledBackIn } from "./support/fault-lab.ts";
import { recordEachFault } from "./support/record-faults.ts";
import { ScriptedGate } from "./support/scripted-gate.ts";

/** A gate at host-a that denies, delays and is silent: the guest never stands for it. */
let fault: FaultLab;
const gate = new ScriptedGate();

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-gates");
  const guests = `/run/sojourn-lab/${fault.lab.name}/nodes/host-a/etc/guests`;
  writeFileSync(`${guests}/blank.toml`, blank);
  await fault.lab.configure("host-a", gate.toml);
  await fault.remember();
  await fault.openSession();
});

afterAll(async () => {
  await fault?.[Symbol.asyncDispose]();
  gate[Symbol.dispose]();
});

const nextPhase: Record<GatePoint, string> = {
  planned: "preparing",
  prepared: "precopy",
  armed: "armed",
};

test.each(Object.entries(nextPhase) as [GatePoint, string][])(
  "denied at %s: the guest is not touched, and nothing is left",
  async (point, next) => {
    const before = fault.qemuOn("host-a");
    gate.say(point, { decision: "deny", reason: "not today" });
    fault.injected += 1;
    const migration = fault.migrate("host-a", "host-b");
    const { exitCode, last } = await migration.ended;
    gate.allowAll();
    expect({ exitCode, last }).toMatchObject(rolledBackIn(null, "SOJ_DENIED_BY_GATE"));
    expect(last).toMatchObject({
      retryable: false,
      message: expect.stringContaining(`gate board denied it at ${point}: not today`),
    });
    expect(migration.hasSeen(next)).toBe(false);
    expect(gate.asked(point).migration).toMatchObject({ guest: "web1", from: "host-a" });
    const report = await reportOf(migration.lines[0]);
    expect(report.gates?.at(-1)).toMatchObject({ gate: "board", point, decision: "deny" });
    expect(phasesOf(report)).not.toContain("stop");
    expect(fault.qemuOn("host-a")).toBe(before);
    await fault.expectHomeAndClean();
  },
);

test("cancelled while a gate is silent: at once, and the gate's program ends", async () => {
  gate.fallSilent("armed");
  fault.injected += 1;
  const migration = fault.migrate("host-a", "host-b");
  const asked = await migration.event((line) => line.type === "gate" && line.point === "armed");
  const startedMs = performance.now();
  await fault.run("host-a", ["sojourn", "cancel", asked.id ?? ""]);
  expect((await migration.ended).exitCode).toBe(6);
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  gate.allowAll();
  await fault.expectHomeAndClean();
});

if (process.env.SOJOURN_FAULTS_ALL) {
  test("a busy guest that a gate delays when it is nearly there moves without loss, and stands no longer than another", async () => {
    gate.say("armed", { decision: "allow" }, { decision: "delay", delay_ms: 2_000 });
    fault.injected += 1;
    const probes = ["tcp-stream:19", "packet"].flatMap((probe) => ["--probe", probe]);
    const delayed = await fault.lab.migrate("host-a", "web1", "host-b", probes);
    expect(delayed).toMatchObject({ exitCode: 0, error: null });
    expect(delayed.report?.probes).toMatchObject({
      tcp_stream: { broken: 0 },
      packet: { lost: 0 },
    });
    const plain = await fault.lab.migrate("host-b", "web1", "host-a", ["--no-probe"]);
    expect(plain).toMatchObject({ exitCode: 0, error: null });
    const [heldMs, plainMs] = [delayed, plain].map(({ report }) => report?.blackout_ms ?? NaN);
    console.log(`blackout: ${heldMs} ms after a delay of 2 s, ${plainMs} ms without`);
    expect(heldMs).toBeLessThan(2 * (plainMs ?? NaN) + 50);
    expectStopAfterGate(delayed.report);
    await fault.expectHomeAndClean();
  });
}

test("a guest that does nothing at all is not stopped by its QEMU while a gate thinks", async () => {
  await fault.run("host-a", ["sojourn", "guest", "start", "blank"]);
  gate.say("armed", { decision: "allow" }, { decision: "delay", delay_ms: 2_000 });
  fault.injected += 1;
  const outcome = await fault.lab.migrate("host-a", "blank", "host-b", ["--no-probe"]);
  expect(outcome).toMatchObject({ exitCode: 0, error: null });
  console.log(`blackout of an idle guest: ${outcome.report?.blackout_ms} ms`);
  expect(phasesOf(outcome.report).filter((phase) => phase === "precopy")).toHaveLength(1);
  expectStopAfterGate(outcome.report);
});

function expectStopAfterGate(report: MigrationReport | null): void {
  const asked = report?.gates?.find(({ point }) => point === "armed");
  expect(asked?.waited_ms).toBeGreaterThan(2_000);
  const stop = report?.timeline.find(({ phase }) => phase === "stop");
  expect(stop?.at_ms).toBeGreaterThan(asked?.at_ms ?? NaN);
}

function phasesOf(report: MigrationReport | null): string[] {
  return report?.timeline.map(({ phase }) => phase) ?? [];
}

async function reportOf(event: { id?: string } | undefined): Promise<MigrationReport> {
  const text = await fault.run("host-a", ["sojourn", "report", event?.id ?? "", "--json"]);
  return JSON.parse(text) as MigrationReport;
}

/** Without a kernel the firmware finds nothing to boot: not a page is written. */
const blank = `name = "blank"
memory_mib = 512
[[nics]]
mac = "52:54:00:00:00:77"
addresses = ["10.1.0.77/24"]
gateway = "10.1.0.1"
`;
