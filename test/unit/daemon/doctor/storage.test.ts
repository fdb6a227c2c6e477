import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { checkStorageThere } from "../../../../src/daemon/doctor/pair/storage.ts";
import { guestDefinitionFromJson } from "../../../../src/hypervisor/definition.ts";
import { qcow2 } from "../../hypervisor/storage/qcow2.ts";
import { temporaryFolder } from "../../migrator/support.ts";
import { sameMachine } from "../storage/same-machine.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const at = (name: string) => join(folder.path, name);

it("each guest's storage is looked at from both hosts, images below its own too", async () => {
  const none = { backingFile: null, backingFormat: null, dataFile: null };
  writeFileSync(at("top"), qcow2({ ...none, backingFile: "base", backingFormat: "raw" }));
  writeFileSync(at("base"), "data");
  const guest = (name: string, disks: unknown[]) =>
    guestDefinitionFromJson({ name, memory_mib: 64, disks });
  const image = (name: string) => ({ path: at(name), format: "qcow2" });
  const guests = [
    guest("whole", [image("top")]),
    guest("none", []),
    guest("lost", [image("nowhere")]),
    guest("odd", [image("base")]),
  ];
  const checks = await checkStorageThere("host-a", sameMachine(), guests);
  expect(checks.map(({ subject, result, detail }) => [subject, result, detail])).toEqual([
    ["whole", "ok", "2 files, seen alike by both hosts"],
    ["none", "skipped", "it has none"],
    ["lost", "fail", `disk 0 (${at("nowhere")}) is not on host-b`],
    ["odd", "warn", `disk 0 (${at("base")}) does not tell what it lies on: not a QCOW2 image`],
  ]);
});
