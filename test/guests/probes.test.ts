import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestLab } from "../support/lab.ts";
import { sharedLab } from "../support/shared-lab.ts";
import { move } from "./support/moves.ts";

describe("probes of a migration in the lab", () => {
  let lab: TestLab;

  beforeAll(async () => {
    lab = await sharedLab();
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test("packets, HTTP and an upload are in the report, with the guest's clock and both kernels' figures", async () => {
    const kinds = ["packet@client", "http@client", "tcp-upload@client"];
    const outcome = await lab.migrate(
      "host-a",
      "web1",
      "host-b",
      kinds.flatMap((kind) => ["--probe", kind]),
    );
    expect(outcome.error).toBeNull();
    const { probes, guest_clock_step_ms, blackout_ms, flows } = outcome.report ?? {};
    expect(Object.keys(probes ?? {}).sort()).toEqual(["http", "packet", "tcp_upload"]);

    const { packet, http, tcp_upload: upload } = probes ?? {};
    expect(packet).toMatchObject({
      lost: expect.any(Number),
      duplicated: expect.any(Number),
      reordered: expect.any(Number),
    });
    expect(packet?.sent).toBeGreaterThan(500);
    expect(http).toMatchObject({
      ...{ sessions: 1, broken: 0, status_errors: 0 },
      ...{ retransmissions: expect.any(Number), rto: expect.any(Number) },
      ...{ guest_retransmissions: expect.any(Number), guest_rto: expect.any(Number) },
    });
    expect(upload).toMatchObject({ sessions: 1, broken: 0, rto: expect.any(Number) });
    expect(upload?.before_mbps).toBeGreaterThan(1);
    // The sessions of both, and the echo requests.
    expect(flows?.established).toBeGreaterThanOrEqual(3);
    expect(flows).toMatchObject({ survived: flows?.established, carried: expect.any(Number) });
    for (const probe of [packet, http, upload]) {
      expect(probe?.outage_ms).toBeGreaterThanOrEqual((blackout_ms ?? 0) / 2);
    }

    // A guest's clock stands still while it is paused, unless its hypervisor corrects it; it gains nothing.
    const errorMs = http?.guest_clock_error_ms ?? 0;
    expect(guest_clock_step_ms).toBe(http?.guest_clock_step_ms);
    expect(guest_clock_step_ms).toBeGreaterThanOrEqual(-(blackout_ms ?? 0) - errorMs - 10);
    expect(guest_clock_step_ms).toBeLessThanOrEqual(errorMs + 10);
    await move(lab, "host-b", "host-a");
  });

  test("a packet probe has no port", async () => {
    const options = ["--probe", "packet:7@client"];
    const outcome = await lab.migrate("host-a", "web1", "host-b", options);
    expect(outcome).toMatchObject({ exitCode: 2, error: { code: "SOJ_USAGE" } });
  });
});
