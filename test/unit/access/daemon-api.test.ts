import { execFile } from "node:child_process";
import { once } from "node:events";
import { rename, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { ConfiguredTcpApi } from "../../../src/daemon/access/daemon-api.ts";
import { changeTokensFile } from "../../../src/daemon/access/tokens-file.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { fakeServices } from "../../support/fake-services.ts";
import { TestTcpApi } from "../../support/tcp-api.ts";

it("an API on TCP that cannot start yet keeps no daemon from starting, and comes when it can", async () => {
  // Its certificates and tokens are of use; the API itself is not.
  await using bed = await TestTcpApi.start();
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const config = { ...bed.config, listen: { address: "127.0.0.1", port } };
  const options = { config, hostName: "host-a", services: () => fakeServices() };
  await using api = await ConfiguredTcpApi.start(
    { ...options, isGuestStanding: () => false, logger: createLogger("silent") },
    20,
  );
  expect([api.port, api.connections, api.refused.size]).toEqual([null, 0, 0]);

  await rename(config.certificatePath, `${config.certificatePath}.aside`);
  other.close();
  await once(other, "close");
  await api.reload(config.clients);
  expect(api.port).toBe(null);
  await rename(`${config.certificatePath}.aside`, config.certificatePath);
  await expect.poll(() => api.port).toBe(port);
  await api.reload(config.clients);
  expect(api.port).toBe(port);
});

it("a certificate that has become a pipe keeps no revoked token alive", async () => {
  await using bed = await TestTcpApi.start();
  await rm(bed.config.certificatePath);
  await promisify(execFile)("/usr/bin/mkfifo", [bed.config.certificatePath]);
  await changeTokensFile(bed.config.tokensPath, () => []);
  await bed.api.reload(bed.config.clients);
  const { status } = await bed.ask({ path: "/healthz", token: bed.tokens.admin });
  expect(status).toBe(401);
});

it("none is started where none is wanted", async () => {
  await using bed = await TestTcpApi.start();
  const options = { hostName: "host-a", services: () => fakeServices() };
  await using api = await ConfiguredTcpApi.start({
    ...{ ...options, config: { ...bed.config, listen: null } },
    ...{ isGuestStanding: () => false, logger: createLogger("silent") },
  });
  expect(api.port).toBe(null);
});
