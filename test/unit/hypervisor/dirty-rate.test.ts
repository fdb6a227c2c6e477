import { expect, test } from "vitest";
import { dirtyRate } from "../../../src/hypervisor/qemu/dirty-rate.ts";

const answering = (...replies: unknown[]) => {
  const asked: string[] = [];
  const execute = async (command: string) => {
    asked.push(command);
    return command === "query-dirty-rate" ? (replies.shift() ?? {}) : {};
  };
  return { asked, execute };
};

test("is asked for until it is measured, in MiB/s", async () => {
  const { asked, execute } = answering(
    { status: "measuring" },
    { status: "measured", "dirty-rate": 3 },
  );
  expect(await dirtyRate(execute as never)).toBe(3 * 1024 ** 2);
  expect(asked).toEqual(["calc-dirty-rate", "query-dirty-rate", "query-dirty-rate"]);
});

test.each([{ status: "measured" }, { status: "measured", "dirty-rate": -1 }])(
  "is not known when QEMU says %j",
  async (reply) => {
    expect(await dirtyRate(answering(reply).execute as never)).toBeNull();
  },
);
