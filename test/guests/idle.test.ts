import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestLab } from "../support/lab.ts";

describe("a guest that does nothing at all", () => {
  let lab: TestLab;

  beforeAll(async () => {
    lab = await TestLab.up(`idle${process.pid}`, ["--hosts", "2", "--guests", "0"]);
    const folder = `/run/sojourn-lab/${lab.name}/nodes/host-a/etc/guests`;
    writeFileSync(`${folder}/blank.toml`, definition);
    await lab.run("host-a", ["sojourn", "guest", "start", "blank"]);
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test("moves there and back with one stream each", async () => {
    for (const [from, to] of [
      ["host-a", "host-b"],
      ["host-b", "host-a"],
    ] as const) {
      const { exitCode, report, error } = await lab.migrate(from, "blank", to, ["--no-probe"]);
      expect({ exitCode, error }, `${from} to ${to}`).toEqual({ exitCode: 0, error: null });
      const phases = report?.timeline.map(({ phase }) => phase) ?? [];
      expect(phases.filter((phase) => phase === "precopy")).toHaveLength(1);
      expect(report?.blackout_ms).toBeGreaterThan(0);
    }
  });
});

/** Without a kernel the firmware finds nothing to boot: not a page is written. */
const definition = `name = "blank"
memory_mib = 512
[[nics]]
mac = "52:54:00:00:00:77"
addresses = ["10.1.0.77/24"]
gateway = "10.1.0.1"
`;
