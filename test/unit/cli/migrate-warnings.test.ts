import { expect, test } from "vitest";
import { eventsOf, fakeServices, phaseEvent, reportWith } from "../../support/fake-services.ts";
import { startLocalDaemon } from "../../support/local-daemon.ts";
import { runSojourn } from "../../support/sojourn-process.ts";

const warning = "disk 0 (/srv/web1.img) is on NFS with cache writeback\u001b[2J";

test("what the plan warns of is told before the first phase, and the report stays the last line", async () => {
  const report = reportWith({});
  const { planMigration } = fakeServices();
  const services = fakeServices({
    planMigration: async (request) => ({
      ...(await planMigration(request)),
      warnings: [warning],
    }),
    migrationEvents: () => eventsOf(phaseEvent, report),
  });
  await using daemon = await startLocalDaemon(() => services);
  const move = ["migrate", "web1", "--to", "host-b"];
  const environment = { SOJOURN_SOCKET: daemon.socketPath };
  const { stdout, exitCode } = await runSojourn([...move, "--json"], environment);
  expect(exitCode).toBe(0);
  const lines = stdout.trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { type: "warning", message: warning },
    phaseEvent,
    report,
  ]);
  const plain = await runSojourn(move, environment);
  expect(plain.stderr).toContain("warning: disk 0 (/srv/web1.img) is on NFS");
  expect(plain.stderr).not.toContain("\u001b[2J");
});
