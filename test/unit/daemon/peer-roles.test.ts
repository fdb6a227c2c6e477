import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PeerRoles } from "../../../src/daemon/peer-roles.ts";
import { createLogger } from "../../../src/platform/log.ts";

const logger = createLogger("silent");
const anchor = { role: "anchor", guestSubnets: ["10.1.0.0/24"] } as const;

test("what peers were is known after a restart, of each the last", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "peer-roles-"));
  const roles = new PeerRoles(folder.path, logger);
  expect(roles.of("anchor-x")).toBeNull();
  roles.remember([{ host: "anchor-x", ...anchor }]);
  roles.remember([{ host: "host-b", role: "anchor", guestSubnets: [] }]);
  roles.remember([{ host: "host-b", role: "host", guestSubnets: [] }]);
  const again = new PeerRoles(folder.path, logger);
  expect(again.of("anchor-x")).toEqual(anchor);
  expect(again.of("host-b")).toEqual({ role: "host", guestSubnets: [] });
});

test.each(["", "{", "[]", '{"host-b":{"role":"king","guestSubnets":[]}}'])(
  "of a file that says %j nothing is known",
  async (text) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "peer-roles-"));
    await writeFile(join(folder.path, "peer-roles.json"), text);
    expect(new PeerRoles(folder.path, logger).of("host-b")).toBeNull();
  },
);
