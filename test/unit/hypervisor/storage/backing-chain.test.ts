import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backingChain } from "../../../../src/hypervisor/storage/backing-chain.ts";
import { temporaryFolder } from "../../migrator/support.ts";
import { qcow2 } from "./qcow2.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const none = { backingFile: null, backingFormat: null, dataFile: null };
const at = (name: string) => join(folder.path, name);

describe("the images that one lies on", () => {
  it("are followed by relative and absolute names, whatever their format", () => {
    writeFileSync(at("top"), qcow2({ ...none, backingFile: "middle", backingFormat: "qcow2" }));
    writeFileSync(at("middle"), qcow2({ ...none, backingFile: at("base") }));
    writeFileSync(at("base"), "raw data");
    expect(backingChain(at("top"), "qcow2")).toEqual([
      { path: at("top"), readOnly: false, reason: null },
      { path: at("middle"), readOnly: true, reason: null },
      { path: at("base"), readOnly: true, reason: null },
    ]);
  });

  it("are not looked for in a raw image, which holds what a guest likes", () => {
    writeFileSync(at("disk"), qcow2({ ...none, backingFile: "/etc/shadow" }));
    expect(backingChain(at("disk"), "raw")).toHaveLength(1);
    writeFileSync(at("top"), qcow2({ ...none, backingFile: "disk", backingFormat: "raw" }));
    expect(backingChain(at("top"), "qcow2").map(({ path }) => path)).toEqual([
      at("top"),
      at("disk"),
    ]);
  });

  it("have a data file of their own", () => {
    writeFileSync(at("top"), qcow2({ ...none, dataFile: "data" }));
    expect(backingChain(at("top"), "qcow2")[1]).toEqual({
      ...{ path: at("data"), readOnly: false, reason: null },
    });
  });

  it("end, with a reason, at one that is missing, elsewhere, none, or itself", () => {
    const reasons = (name: string) => backingChain(at(name), "qcow2").map(({ reason }) => reason);
    writeFileSync(at("lost"), qcow2({ ...none, backingFile: "nowhere" }));
    expect(reasons("lost")[0]).toBe("ENOENT");
    writeFileSync(at("remote"), qcow2({ ...none, backingFile: "nbd://host/x" }));
    expect(reasons("remote")).toEqual(["it lies on nbd://host/x"]);
    writeFileSync(at("none"), "raw data");
    expect(reasons("none")).toEqual(["not a QCOW2 image"]);
    writeFileSync(at("loop"), qcow2({ ...none, backingFile: "loop", backingFormat: "qcow2" }));
    expect(reasons("loop")).toHaveLength(64);
    expect(reasons("loop").at(-1)).toMatch(/more than 64/);
  });
});
