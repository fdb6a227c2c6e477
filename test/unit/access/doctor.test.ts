import { chmod } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { changeTokensFile } from "../../../src/daemon/access/tokens-file.ts";
import { checkApiAccess } from "../../../src/daemon/doctor/files/api-access.ts";
import { TestTcpApi } from "../../support/tcp-api.ts";

let server: TestTcpApi;

beforeAll(async () => {
  server = await TestTcpApi.start();
});
afterAll(() => server[Symbol.asyncDispose]());

/** Results by id of an API with these settings. */
async function examine(change: Partial<TestTcpApi["config"]> = {}) {
  const listen = { address: "127.0.0.1", port: server.api.port };
  const checks = await checkApiAccess({ api: { ...server.config, listen, ...change } });
  return Object.fromEntries(checks.map((check) => [check.id, check]));
}

it("says nothing of an API that is not on TCP", async () => {
  expect(await examine({ listen: null })).toEqual({});
});

it("finds all well", async () => {
  const found = await examine();
  expect(found["api-certificate"]).toMatchObject({ result: "ok" });
  expect(found["api-callers"]).toMatchObject({
    result: "ok",
    detail: "3 tokens, 1 client with a certificate",
  });
});

it("finds a key of another certificate, and one that soon ends", async () => {
  const { certificatePath, keyPath } = await server.issueClient("other", 5);
  expect((await examine({ keyPath }))["api-certificate"]).toMatchObject({ result: "fail" });
  const ending = await examine({ certificatePath, keyPath });
  expect(ending["api-certificate"]).toMatchObject({ result: "warn" });
});

it("finds tokens that have ended, a file that others may read, and an API for nobody", async () => {
  await server.addToken("ended", { expires: "2026-01-02T00:00:00Z" });
  expect((await examine())["api-callers"]).toMatchObject({
    result: "warn",
    mend: "sojourn token revoke ended",
  });
  const { tokensPath } = server.config;
  await chmod(tokensPath, 0o644);
  expect((await examine())["api-callers"]).toMatchObject({
    result: "fail",
    mend: expect.stringMatching("chmod 600"),
  });
  await chmod(tokensPath, 0o600);
  await changeTokensFile(tokensPath, () => []);
  expect((await examine({ clients: new Map() }))["api-callers"]).toMatchObject({ result: "warn" });
});
