import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  argumentsFromBytes,
  parseCommandLine,
} from "../../../src/hypervisor/qemu/command-line/command-line.ts";
import { SojournError } from "../../../src/platform/errors.ts";

const bytesOf = (args: readonly string[]) => Buffer.from(args.map((word) => `${word}\0`).join(""));

describe("a process's command line", () => {
  test("is what the kernel holds, empty arguments and spaces too", () => {
    const args = ["qemu", "-append", "", "-name", "a b 'c'", "ü"];
    expect(argumentsFromBytes(bytesOf(args))).toEqual(args);
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["no end", Buffer.from("qemu\0-m")],
    ["no UTF-8", Buffer.from([0xff, 0xfe, 0])],
    ["too much", Buffer.alloc(300_000)],
  ])("%s is refused", (_what, bytes) => {
    expect(() => argumentsFromBytes(bytes)).toThrow(/command line cannot be used/);
  });

  test("any bytes give arguments or a typed refusal", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          expect(bytesOf(argumentsFromBytes(bytes))).toEqual(Buffer.from(bytes));
        } catch (error) {
          expect(error).toMatchObject({ code: "SOJ_COMMAND_LINE" });
        }
      }),
    );
  });

  test("options keep their order, and an image may stand alone", () => {
    expect(parseCommandLine(["-m", "64", "--enable-kvm", "disk.img", "-append", "-S"])).toEqual([
      { name: "m", use: "kept", value: "64" },
      { name: "enable-kvm", use: "kept", value: null },
      { name: null, use: "rewritten", value: "disk.img" },
      { name: "append", use: "kept", value: "-S" },
    ]);
  });

  test.each([
    [["-frobnicate"], '"-frobnicate" is not known'],
    [["-m"], '"-m" lacks its value'],
    [["--"], '"--" is no option'],
  ])("%j is refused", (args, reason) => {
    expect(() => parseCommandLine(args)).toThrow(reason);
  });

  test("any words give options or a typed refusal", () => {
    const word = fc.oneof(fc.string(), fc.constantFrom("-m", "-S", "-device", "-drive", "--"));
    fc.assert(
      fc.property(fc.array(word), (args) => {
        try {
          expect(parseCommandLine(args).length).toBeLessThanOrEqual(args.length);
        } catch (error) {
          expect(error).toBeInstanceOf(SojournError);
        }
      }),
    );
  });
});
