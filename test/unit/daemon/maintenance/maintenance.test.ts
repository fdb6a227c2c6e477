import { mkdir, mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Maintenance } from "../../../../src/daemon/maintenance/maintenance.ts";
import { createLogger } from "../../../../src/platform/log.ts";
import { diskStorage } from "../../../../src/platform/storage.ts";

const logger = createLogger("silent");
const temporary = () => mkdtempDisposable(join(tmpdir(), "maintenance-"));

test("it lasts across restarts, from when it first began, until it is ended", async () => {
  await using folder = await temporary();
  const maintenance = new Maintenance(folder.path, logger);
  expect(maintenance.isOn).toBe(false);
  maintenance.begin("new memory");
  const { current } = maintenance;
  expect(current).toMatchObject({ sinceMs: expect.any(Number), reason: "new memory" });
  const again = new Maintenance(folder.path, logger);
  expect(again.current).toEqual(current);
  again.begin();
  expect(again.current).toEqual(current);
  again.begin("new disks");
  expect(again.current).toEqual({ sinceMs: current?.sinceMs, reason: "new disks" });
  again.end();
  expect(again.isOn).toBe(false);
  expect(new Maintenance(folder.path, logger).isOn).toBe(false);
});

test.each(["", "{", "null", '{"sinceMs":"now","reason":null}'])(
  "a file that says %j counts as maintenance, until it is ended",
  async (text) => {
    await using folder = await temporary();
    await writeFile(join(folder.path, "maintenance.json"), text);
    const maintenance = new Maintenance(folder.path, logger);
    expect(maintenance.current).toMatchObject({
      sinceMs: null,
      reason: expect.stringMatching(/cannot be read/),
    });
    maintenance.end();
    expect(new Maintenance(folder.path, logger).isOn).toBe(false);
  },
);

test("so does one that cannot be read at all: the daemon starts", async () => {
  await using folder = await temporary();
  await mkdir(join(folder.path, "maintenance.json"));
  const maintenance = new Maintenance(folder.path, logger);
  expect(maintenance.current).toMatchObject({ sinceMs: null });
  expect(() => maintenance.end()).toThrow(
    expect.objectContaining({ code: "SOJ_MAINTENANCE_UNSTORED" }),
  );
});

test("it does not end while the host is emptied", async () => {
  await using folder = await temporary();
  const maintenance = new Maintenance(folder.path, logger);
  maintenance.begin();
  maintenance.evacuation = () => "e1";
  expect(() => maintenance.end()).toThrow(
    expect.objectContaining({ code: "SOJ_EVACUATION_RUNNING", httpStatus: 409, exitCode: 3 }),
  );
  expect(maintenance.isOn).toBe(true);
});

test("what the disk does not take has not happened", async () => {
  await using folder = await temporary();
  let isFull = true;
  const full = () => {
    if (isFull) throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
  };
  const storage = {
    ...diskStorage,
    replace: (path: string, content: string | Uint8Array) => {
      full();
      diskStorage.replace(path, content);
    },
    remove: (path: string) => {
      full();
      diskStorage.remove(path);
    },
  };
  const maintenance = new Maintenance(folder.path, logger, storage);
  const refused = expect.objectContaining({ code: "SOJ_MAINTENANCE_UNSTORED" });
  expect(() => maintenance.begin()).toThrow(refused);
  expect(maintenance.isOn).toBe(false);
  isFull = false;
  maintenance.begin();
  isFull = true;
  expect(() => maintenance.end()).toThrow(refused);
  expect(maintenance.isOn).toBe(true);
});
