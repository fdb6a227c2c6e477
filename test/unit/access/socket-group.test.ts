import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startLocalApi } from "../../../src/daemon/local-api.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { fakeServices } from "../../support/fake-services.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sojourn-group-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const start = (socketGroup: string | null) =>
  startLocalApi({
    socketPath: join(folder, "sojourn.sock"),
    ...{ socketGroup, hostName: "host-a", logger: createLogger("silent") },
    services: () => fakeServices(),
  });

const ownerOf = async (path: string) => {
  const { uid, gid, mode } = await stat(path);
  return [uid, gid, (mode & 0o777).toString(8)];
};

describe("the unix socket", () => {
  it("is root's own unless a group is named", async () => {
    await using _api = await start(null);
    expect(await ownerOf(join(folder, "sojourn.sock"))).toEqual([0, 0, "660"]);
    expect(await ownerOf(folder)).toEqual([0, 0, "700"]);
  });

  it("is for the group that is named, which gets to it and sees nothing else", async () => {
    // Debian's group of that name has the number 1 everywhere.
    await using _api = await start("daemon");
    expect(await ownerOf(join(folder, "sojourn.sock"))).toEqual([0, 1, "660"]);
    expect(await ownerOf(folder)).toEqual([0, 1, "710"]);
  });

  it("is not there for a group that is not", async () => {
    await expect(start("no-such-group")).rejects.toMatchObject({
      code: "SOJ_GROUP_UNKNOWN",
      exitCode: 3,
    });
    await expect(stat(join(folder, "sojourn.sock"))).rejects.toThrow("ENOENT");
  });
});
