import { describe, expect, it } from "vitest";
import { startConflict } from "../../../src/migrator/guest-place.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { recordOf } from "./support.ts";

const here = "host-a";

const running: GuestRecord = {
  ...recordOf("web1", 10),
  hosting: { stage: "running", tableIndex: 0, homeTunnel: null, sourceTunnel: null },
};

describe("a guest that is somewhere already", () => {
  it("is not started beside itself", () => {
    expect(startConflict("web1", running, here, "running")).toMatchObject({
      ...{ code: "SOJ_GUEST_THERE", message: "web1 is on host-a already" },
    });
    expect(startConflict("web1", undefined, here, "starting")).toMatchObject({
      ...{ code: "SOJ_GUEST_BUSY", message: "web1 is just being started on host-a" },
    });
  });

  it("is not said to run when it has ended and its home does not know that yet", () => {
    const behindAnchor: GuestRecord = { ...running, home: { ...running.home, host: "anchor-a" } };
    const refusal = startConflict("web1", behindAnchor, here, "none");
    expect(refusal).toMatchObject({ code: "SOJ_GUEST_BUSY", retryable: true });
    expect(refusal.message).toBe(
      "web1 has ended on host-a, and anchor-a, its home, has not been told so yet",
    );
    expect(refusal.hint).toContain("anchor-a's daemon");
  });
});
