import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ClientOptions, createClient } from "../../../src/client/index.ts";
import { createTestAuthority } from "../../support/host-certificates.ts";
import { TestTcpApi } from "../../support/tcp-api.ts";

let server: TestTcpApi;

beforeAll(async () => {
  server = await TestTcpApi.start();
});
afterAll(() => server[Symbol.asyncDispose]());

const clientWith = (change: Partial<ClientOptions>) => {
  const { ca } = server.tlsOptions();
  return createClient({ url: `https://127.0.0.1:${server.api.port}`, tls: { ca }, ...change });
};

test("a token over TLS: requests, errors with their code, events", async () => {
  const client = clientWith({ token: () => server.tokens.operate });
  expect(await client.listGuests()).toHaveLength(1);
  expect(await client.startMigration({ guest: "web1", to: "host-b" })).toMatchObject({ id: "m1" });
  await expect(
    client.resolveMigration("m1", { keep: "source", confirm: true }),
  ).rejects.toMatchObject({
    ...{ code: "SOJ_ROLE_REQUIRED", httpStatus: 403, retryable: false },
  });
  const types = [];
  const signal = AbortSignal.timeout(10_000);
  for await (const { type } of client.migrationEvents("m1", signal)) types.push(type);
  expect(types).toEqual(["phase", "report"]);
  await expect(clientWith({ token: "sojourn_wrong" }).listGuests()).rejects.toMatchObject({
    code: "SOJ_TOKEN_REFUSED",
  });
});

test("a client certificate instead of a token", async () => {
  const { certificatePath, keyPath } = await server.issueClient("ansible");
  const { ca } = server.tlsOptions();
  const tls = { ca, cert: readFileSync(certificatePath), key: readFileSync(keyPath) };
  expect(await clientWith({ tls }).health()).toMatchObject({ status: "ok", host: "host-a" });
});

test("a daemon whose authority is not the one named is not asked, nor tried again", async () => {
  await using other = await createTestAuthority();
  const client = clientWith({
    token: server.tokens.read,
    tls: { ca: readFileSync(join(other.folder, "ca.crt")) },
  });
  await expect(client.listGuests()).rejects.toMatchObject({
    ...{ code: "SOJ_DAEMON_UNREACHABLE", exitCode: 7, retryable: false },
    hint: expect.stringContaining("--ca-file"),
  });
});

test.each(["http://127.0.0.1:80", "https://host-a/v1", "host-a:7708", ""])(
  "%j is no address of a daemon",
  (url) => {
    expect(() => createClient({ url })).toThrow(expect.objectContaining({ code: "SOJ_USAGE" }));
  },
);
