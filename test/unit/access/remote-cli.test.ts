import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commandOf } from "../../../src/cli/remote.ts";
import { environmentOptions } from "../../../src/client/environment.ts";
import type { IssuedCertificate } from "../../../src/daemon/pki.ts";
import { runSojourn } from "../../support/sojourn-process.ts";
import { TestTcpApi } from "../../support/tcp-api.ts";

let server: TestTcpApi;
let tokenFile: string;
let client: IssuedCertificate;
let url: string;

beforeAll(async () => {
  server = await TestTcpApi.start();
  tokenFile = join(server.folder, "token");
  await writeFile(tokenFile, `${server.tokens.operate}\n`, { mode: 0o600 });
  client = await server.issueClient("ansible");
  url = `https://127.0.0.1:${server.api.port}`;
});
afterAll(() => server[Symbol.asyncDispose]());

describe("sojourn --host", () => {
  it("asks another host's daemon, with a token", async () => {
    const options = ["--host", url, "--token-file", tokenFile, "--ca-file", client.caPath];
    const { exitCode, stdout } = await runSojourn([...options, "guest", "ls", "--json"]);
    expect([exitCode, JSON.parse(stdout)]).toEqual([
      0,
      [expect.objectContaining({ name: "web1" })],
    ]);
  });

  it("asks it with a client certificate, named by the environment", async () => {
    const env = {
      SOJOURN_HOST: url,
      SOJOURN_CA_FILE: client.caPath,
      SOJOURN_CERT_FILE: client.certificatePath,
      SOJOURN_KEY_FILE: client.keyPath,
    };
    const migrated = await runSojourn(["migrate", "web1", "--to", "host-b", "--json"], env);
    expect(migrated.exitCode).toBe(0);
    const last = migrated.stdout.trim().split("\n").at(-1) ?? "";
    expect(JSON.parse(last)).toMatchObject({ type: "report", outcome: "completed" });
    const resolved = await runSojourn(
      ["resolve", "m1", "--keep", "source", "--yes", "--json"],
      env,
    );
    expect(resolved.exitCode).toBe(3);
    expect(JSON.parse(resolved.stdout)).toMatchObject({ code: "SOJ_ROLE_REQUIRED" });
  });

  it("says what is wrong with the token, the certificate or the address", async () => {
    const ca = ["--ca-file", client.caPath];
    const cases: [string[], number, string][] = [
      [["--host", url, ...ca], 3, "SOJ_UNAUTHENTICATED"],
      [["--host", url, "--token-file", tokenFile], 7, "SOJ_DAEMON_UNREACHABLE"],
      [["--host", url, ...ca, "--token-file", "/nowhere"], 3, "SOJ_FILE_UNREADABLE"],
      [["--host", url, ...ca, "--cert-file", client.certificatePath], 2, "SOJ_USAGE"],
      [["--host", url.replace("https", "http"), ...ca], 2, "SOJ_USAGE"],
    ];
    for (const [options, exitCode, code] of cases) {
      const failed = await runSojourn([...options, "guest", "ls", "--json"]);
      expect([code, failed.exitCode, JSON.parse(failed.stdout).code]).toEqual([
        code,
        exitCode,
        code,
      ]);
    }
  });

  it("names the option whose file is missing", async () => {
    const ca = ["--host", url, "--ca-file"];
    const missing: [string[], string][] = [
      [[...ca, "/nowhere"], "--ca-file names it, or the variable SOJOURN_CA_FILE"],
      [[...ca, client.caPath, "--token-file", "/nowhere"], "--token-file names it, or"],
    ];
    for (const [options, hint] of missing) {
      const { stdout } = await runSojourn([...options, "guest", "ls", "--json"]);
      expect(JSON.parse(stdout).hint).toContain(hint);
    }
  });

  it("is refused where a command is about this machine", async () => {
    const { exitCode, stdout } = await runSojourn(["--host", url, "token", "ls", "--json"]);
    expect([exitCode, JSON.parse(stdout).code]).toEqual([2, "SOJ_USAGE"]);
  });
});

describe("the program's own options", () => {
  it("stand before the command", () => {
    expect(commandOf(["guest", "ls"])).toBe("guest");
    expect(commandOf(["--host", "guest", "status", "--json"])).toBe("status");
    expect(commandOf(["--host=x", "--ca-file", "y", "watch"])).toBe("watch");
    expect(commandOf(["--version"])).toBeUndefined();
    expect(commandOf(["--host"])).toBeUndefined();
  });

  it("name no daemon unless there is a host", () => {
    expect(environmentOptions({ SOJOURN_TOKEN_FILE: "/nowhere" })).toEqual({});
  });
});

describe("sojourn token", () => {
  it("makes a token that works until it is revoked, and shows it once", async () => {
    const file = ["--file", server.config.tokensPath];
    const made = await runSojourn(["token", "create", "cli", "--role", "read", ...file]);
    const token = made.stdout.trim();
    await server.api.reload(server.config.clients);
    const ask = () => server.ask({ path: "/v1/guests", token });
    expect((await ask()).status).toBe(200);
    const listed = await runSojourn(["token", "ls", "--json", ...file]);
    expect(listed.stdout).not.toContain(token);
    expect(JSON.parse(listed.stdout)).toContainEqual(
      expect.objectContaining({ name: "cli", role: "read", expires: null }),
    );
    const again = ["token", "create", "cli", "--role", "admin", "--json", ...file];
    expect(JSON.parse((await runSojourn(again)).stdout).code).toBe("SOJ_TOKEN_EXISTS");
    expect((await runSojourn(["token", "revoke", "cli", ...file])).exitCode).toBe(0);
    await server.api.reload(server.config.clients);
    expect((await ask()).status).toBe(401);
  });

  it("takes an end that is to come, and a role that there is", async () => {
    const file = ["--json", "--file", server.config.tokensPath];
    const until = ["token", "create", "until", "--role", "operate", "--expires", "2999-01-31"];
    const made = await runSojourn([...until, ...file]);
    expect(JSON.parse(made.stdout)).toMatchObject({ expires: "2999-01-31T00:00:00.000Z" });
    for (const wrong of [
      ["--role", "root"],
      ["--role", "read", "--expires", "2001-01-31"],
      ["--role", "read", "--expires", "soon"],
      [],
    ]) {
      const refused = await runSojourn(["token", "create", "x", ...wrong, ...file]);
      expect([wrong, refused.exitCode]).toEqual([wrong, 2]);
    }
  });
});
