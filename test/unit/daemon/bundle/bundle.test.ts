import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mostFileBytes, writeBundle } from "../../../../src/daemon/bundle/bundle.ts";
import { type Part, partsOf } from "../../../../src/daemon/bundle/contents.ts";
import { Journal } from "../../../../src/migrator/journal.ts";
import { SqliteHistory } from "../../../../src/migrator/sqlite-history.ts";
import { runCommand } from "../../../../src/platform/command.ts";
import { createLogger } from "../../../../src/platform/log.ts";
import { createTestAuthority, type TestAuthority } from "../../../support/host-certificates.ts";

/** No two have a part in common, so that each is found by itself. */
const canaries = {
  token: "canaryTOKENaaaaaaaa",
  tokenFile: "canaryFILEbbbbbbbbb",
  user: "canaryUSERcccccccc",
  query: "canaryQUERYddddddd",
  pathPart: "canaryPATHPARTeeeeeeeeeeeeee",
  header: "canaryHEADERffffff",
  comment: "canaryCOMMENTggggg",
  guest: "canaryGUESThhhhhhh",
  log: "canaryLOGiiiiiiiii",
};

let folder: string;
let authority: TestAuthority;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sojourn-bundle-"));
  authority = await createTestAuthority("host-a");
  await fill();
});
afterEach(async () => {
  await authority[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const path = (name: string) => join(folder, name);

/** A host's files, with a secret wherever one can be. */
async function fill(): Promise<void> {
  const { caPath, certificatePath, keyPath } = authority.hosts["host-a"] ?? {};
  await writeFile(path("tokens"), `ci:operate:${canaries.tokenFile}\n`);
  await writeFile(
    path("sojourn.toml"),
    `# ${canaries.comment}
[host]
name = "host-a"
underlay_address = "172.16.1.2"
[peer_api]
listen = "172.16.1.2:7707"
ca = "${caPath}"
certificate = "${certificatePath}"
key = "${keyPath}"
[api]
tokens_file = "${path("tokens")}"
token = "${canaries.token}"
[[webhooks]]
url = "https://${canaries.user}:x@hooks.example.com/${canaries.pathPart}?sig=${canaries.query}"
headers = { x-service = "${canaries.header}" }
[paths]
state = "${path("state")}"
`,
  );
  await mkdir(path("state/guests"), { recursive: true });
  using journal = new Journal(path("state/journal"));
  journal.append({ step: "begin", migration: "m1", guest: "web1", epoch: 1, role: "source" });
  using history = new SqliteHistory(path("state/history.sqlite"), createLogger("silent"));
  const message = `POST https://${canaries.user}:x@hooks.example.com/ said ${canaries.token}`;
  history.put({
    ...{ id: "m1", guest: "web1", from: "host-a", to: "host-b", state: "rolled-back" },
    ...{ startedMs: 1, endedMs: 2, report: null },
    error: {
      ...{ type: "error", code: "SOJ_X", message, hint: null, guest_state: null },
      ...{ exit_code: 4, retryable: false },
    },
  });
  const record = {
    ...{ guest: "web1", epoch: 1, hosting: null, redirect: null, outgoing: null, migration: null },
    home: { host: "host-a", underlayAddress: "172.16.1.2", gatewayMac: "52:54:00:00:00:01" },
    definition: {
      ...{ name: "web1", memory_mib: 64, kernel: "/boot/vmlinuz" },
      append: `password=${canaries.guest}`,
      extra_arguments: ["-object", `secret,id=s,data=${canaries.guest}`],
    },
  };
  await writeFile(path("state/guests/web1.json"), JSON.stringify(record));
  const adopted = {
    ...{ name: "web2", memory_mib: 64 },
    qemu_arguments: ["-append", `key=${canaries.guest}`],
  };
  const other = JSON.stringify({ ...record, guest: "web2", definition: adopted });
  await writeFile(path("state/guests/web2.json"), other);
}

/** What the running host would add, which a test must not ask the machine for. */
const ofTheMachine = ["doctor.json", "kernel.txt", "daemon.log"];

async function bundle(redactAddresses: boolean, more: Part[] = []) {
  const outPath = path(`out-${redactAddresses}.tar.gz`);
  const key = await readFile(authority.hosts["host-a"]?.keyPath ?? "", "utf8");
  const log = `172.16.1.2 Bearer ${canaries.log} ${canaries.tokenFile} ${JSON.stringify(key)}\n${key}`;
  const result = await writeBundle(
    { configPath: path("sojourn.toml"), outPath, redactAddresses },
    (...args) => [
      ...partsOf(...args).filter(({ name }) => !ofTheMachine.includes(name)),
      { name: "daemon.log", about: "log", keep: "end", read: async () => log },
      ...more,
    ],
  );
  const packed = await readFile(outPath);
  return { result, key, text: gunzipSync(packed).toString("latin1"), outPath };
}

describe("a support bundle", () => {
  it("holds what its manifest says, as tar reads it, and none of the secrets", async () => {
    const { result, text, key, outPath } = await bundle(false);
    const listed = (await runCommand("tar", ["-tzf", outPath])).stdout.trim().split("\n");
    const names = result.manifest.files.map(({ name }) => `sojourn-support/${name}`);
    expect(listed).toEqual(["sojourn-support/manifest.json", ...names]);
    expect(result.manifest.files.filter(({ error }) => error !== null)).toEqual([]);
    expect((await stat(outPath)).mode & 0o777).toBe(0o600);
    for (const canary of Object.values(canaries)) expect(text).not.toContain(canary);
    for (const line of key.split("\n").filter((one) => one !== "" && !one.startsWith("-----"))) {
      expect(text).not.toContain(line);
    }
    expect(text).toContain("172.16.1.2");
    expect(text).toContain('"step": "begin"');
    expect(text).toContain("SOJ_X");
    expect(text).toContain('"memory_mib": 64');
  });

  it("gives addresses other names when it is asked to", async () => {
    const { text } = await bundle(true);
    expect(text).not.toContain("172.16.1.2");
    expect(text).toMatch(/underlay_address = "address-\d+"/);
  });

  it("is bounded, says what is missing, and overwrites nothing", async () => {
    const long = "x".repeat(mostFileBytes + 10);
    const { result } = await bundle(false, [
      { name: "long.txt", about: "long", read: async () => long },
      {
        ...{ name: "none.txt", about: "missing" },
        read: () => Promise.reject(new Error(`no ${canaries.token}`)),
      },
    ]);
    expect(result.manifest.files.slice(-2)).toMatchObject([
      { name: "long.txt", bytes: mostFileBytes, truncated: true, error: null },
      { name: "none.txt", bytes: 0, error: "no [removed]" },
    ]);
    await expect(bundle(false)).rejects.toMatchObject({ code: "SOJ_USAGE", exitCode: 2 });
  });

  it("can be made without a configuration that can be read", async () => {
    await writeFile(
      path("sojourn.toml"),
      `[broken\ntoken = "${canaries.token}"\ntokens_file = '${path("tokens")}'`,
    );
    const { text, result } = await bundle(false, []);
    for (const canary of [canaries.token, canaries.tokenFile, canaries.log]) {
      expect(text).not.toContain(canary);
    }
    expect(result.manifest.files.map(({ name }) => name)).toContain("sojourn.toml");
  });
});
