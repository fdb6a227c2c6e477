import { describe, expect, it } from "vitest";
import { describeCheck, describeSummary } from "../../../src/cli/doctor/render.ts";
import { fail, ok, onHost, skipped, warn } from "../../../src/daemon/doctor/check.ts";

const topic = { id: "bridge", subject: "guests0", why: "Guests are plugged into it." };

describe("what doctor prints", () => {
  const missing = fail(topic, "does not exist", {
    mend: ["ip link add guests0 type bridge", "ip link set dev guests0 up"],
    hint: "or name another",
  });

  it("is one line for what is in order", () => {
    expect(describeCheck(ok(topic, "for 10.1.0.0/24"), null)).toBe(
      "ok       bridge guests0: for 10.1.0.0/24",
    );
  });

  it("tells why, what mends it, and where", () => {
    const [elsewhere = missing] = onHost("host-b", [missing]);
    expect(describeCheck(elsewhere, "host-a").split("\n")).toEqual([
      "fail     bridge guests0 (on host-b): does not exist",
      "         why: Guests are plugged into it.",
      "         mend: ip link add guests0 type bridge",
      "               ip link set dev guests0 up",
      "         hint: or name another",
    ]);
  });

  it("counts, and points to --fix where that would help", () => {
    const fixable = warn(topic, "off", { mend: "sysctl -w net.ipv4.ip_forward=1", fixable: true });
    expect(describeSummary([missing, ok(topic, ""), skipped(topic, "no daemon")])).toBe(
      "1 in order, 0 warnings, 1 failed, 1 not checked",
    );
    expect(describeSummary([fixable])).toContain("sojourn doctor --fix");
  });
});
