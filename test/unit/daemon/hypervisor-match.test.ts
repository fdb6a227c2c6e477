import { describe, expect, test } from "vitest";
import { checkHypervisorsMatch } from "../../../src/daemon/hypervisor-match.ts";

type Accelerator = "kvm" | "tcg";

const host = (name: string, accelerator: Accelerator, streamTls = true) => ({
  host: name,
  version: "10.0.2",
  accelerator,
  streamTls,
});

function check(wanted: "auto" | Accelerator, here: Accelerator, there: Accelerator) {
  checkHypervisorsMatch(
    { name: "web1", accelerator: wanted },
    host("host-a", here),
    host("host-b", there),
  );
}

describe("a guest can go where its accelerator is", () => {
  test.each([
    ["auto", "kvm", "kvm"],
    ["auto", "tcg", "tcg"],
    ["kvm", "kvm", "kvm"],
    ["tcg", "tcg", "kvm"],
    ["tcg", "kvm", "tcg"],
  ] as const)("%s: %s to %s", (wanted, here, there) => {
    expect(() => check(wanted, here, there)).not.toThrow();
  });

  test.each([
    ["auto", "kvm", "tcg"],
    ["auto", "tcg", "kvm"],
    ["kvm", "kvm", "tcg"],
  ] as const)("not %s: %s to %s", (wanted, here, there) => {
    expect(() => check(wanted, here, there)).toThrow(
      expect.objectContaining({ code: "SOJ_ACCELERATOR_MISMATCH", exitCode: 3 }),
    );
  });

  test.each([
    [true, false, "host-b has migration streams without TLS"],
    [false, true, "host-a has migration streams without TLS"],
  ])("not between TLS %s and TLS %s", (here, there, message) => {
    const definition = { name: "web1", accelerator: "auto" as const };
    const source = host("host-a", "kvm", here);
    const destination = host("host-b", "kvm", there);
    expect(() => checkHypervisorsMatch(definition, source, destination)).toThrow(
      expect.objectContaining({
        code: "SOJ_STREAM_TLS_MISMATCH",
        exitCode: 3,
        message: expect.stringContaining(message),
      }),
    );
  });
});
