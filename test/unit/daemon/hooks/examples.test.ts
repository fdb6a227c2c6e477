import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { environmentOf } from "../../../../src/daemon/hooks/exec-endpoint.ts";
import { guestMessage, hookPayloadSchema } from "../../../../src/daemon/hooks/payload.ts";
import { checkProgram } from "../../../../src/daemon/hooks/program.ts";
import { runInGroup } from "../../../../src/platform/group-process.ts";

const examples = join(import.meta.dirname, "../../../../deploy/hooks.d");
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sojourn-examples-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** A tool that writes down how it was called, and what it was told. */
const fakeTool = async (name: string, exitCode = 0) => {
  await mkdir(join(folder, "bin"), { recursive: true });
  const script = `#!/bin/sh
{ printf '%s' ${name}; printf ' [%s]' "$@"; echo; if [ ${name} = nsupdate ]; then cat; fi; } >>${folder}/calls
exit ${exitCode}
`;
  await writeFile(join(folder, "bin", name), script, { mode: 0o755 });
};
const calls = () => readFile(join(folder, "calls"), "utf8").catch(() => "");

async function run(
  program: string,
  change: "arrived" | "departed",
  { home = "host-a", renumbered, ...variables }: Record<string, string> = {},
) {
  const other = renumbered === undefined ? {} : { renumbered };
  const guest = { name: "web1", addresses: ["10.1.0.10", "10.1.0.11"], ...other, home };
  const { body } = guestMessage(change, guest, "host-b", 1_700_000_000_000);
  const environment = environmentOf(hookPayloadSchema.parse(JSON.parse(body)));
  return await runInGroup(join(examples, program), {
    ...{ input: body, timeoutMs: 10_000, maxOutputBytes: 4_096 },
    env: { ...environment, PATH: `${folder}/bin:/usr/bin:/bin`, ...variables },
  });
}

const done = { exitCode: 0, stderr: "" };

describe("example programs", () => {
  it("are such as the daemon runs", async () => {
    const names = await readdir(examples);
    expect(names.toSorted()).toEqual([
      ...["10-announce-bird", "10-announce-frr", "20-dns", "30-firewall"],
    ]);
    for (const name of names) {
      const failure = await checkProgram(join(examples, name)).catch((error: Error) => error);
      // Whose files a checkout's are, is not theirs to say.
      expect(String(failure ?? "")).not.toMatch(/not executable|regular file/);
    }
  });

  it("announce with FRR where the guest is, but not at home", async () => {
    await fakeTool("vtysh");
    expect(await run("10-announce-frr", "arrived")).toMatchObject(done);
    expect(await run("10-announce-frr", "departed")).toMatchObject(done);
    expect(await run("10-announce-frr", "arrived", { home: "host-b" })).toMatchObject(done);
    expect((await calls()).split("\n")).toEqual([
      "vtysh [-c] [configure terminal] [-c] [ip prefix-list SOJOURN permit 10.1.0.10/32]",
      "vtysh [-c] [configure terminal] [-c] [ip prefix-list SOJOURN permit 10.1.0.11/32]",
      "vtysh [-c] [configure terminal] [-c] [no ip prefix-list SOJOURN permit 10.1.0.10/32]",
      "vtysh [-c] [configure terminal] [-c] [no ip prefix-list SOJOURN permit 10.1.0.11/32]",
      "",
    ]);
  });

  it("announce with BIRD where the guest is, but not at home", async () => {
    await fakeTool("birdc");
    const bird = join(folder, "bird");
    const variables = { SOJOURN_BIRD_FOLDER: bird };
    expect(await run("10-announce-bird", "arrived", variables)).toMatchObject(done);
    expect(await readFile(join(bird, "web1.conf"), "utf8")).toBe(
      "route 10.1.0.10/32 blackhole;\nroute 10.1.0.11/32 blackhole;\n",
    );
    expect(await run("10-announce-bird", "departed", variables)).toMatchObject(done);
    expect(await readdir(bird)).toEqual([]);
    const atHome = { ...variables, home: "host-b" };
    expect(await run("10-announce-bird", "arrived", atHome)).toMatchObject(done);
    expect(await calls()).toBe("birdc [configure]\nbirdc [configure]\n");
  });

  it("update the guest's name, and are run again when the server is away", async () => {
    await fakeTool("nsupdate");
    const conf = join(folder, "dns.conf");
    await writeFile(conf, "ZONE=guests.example.com\nSERVER=192.0.2.53\nKEY=/etc/key\n");
    const variables = { SOJOURN_DNS_CONF: conf };
    expect(await run("20-dns", "arrived", variables)).toMatchObject(done);
    expect(await calls()).toBe(
      `nsupdate [-k] [/etc/key]
server 192.0.2.53
zone guests.example.com
update delete web1.guests.example.com. A
update add web1.guests.example.com. 60 A 10.1.0.10
update add web1.guests.example.com. 60 A 10.1.0.11
send
`,
    );
    await run("20-dns", "arrived", { ...variables, renumbered: "10.2.0.20" });
    const added = (await calls()).split("\n").filter((line) => line.startsWith("update add"));
    expect(added.slice(2)).toEqual(["update add web1.guests.example.com. 60 A 10.2.0.20"]);
    await fakeTool("nsupdate", 1);
    expect(await run("20-dns", "arrived", variables)).toMatchObject({ exitCode: 75 });
  });

  it("keep a firewall's set", async () => {
    await fakeTool("nft");
    expect(await run("30-firewall", "arrived")).toMatchObject(done);
    expect((await calls()).split("\n")[1]).toBe(
      "nft [add] [element] [inet] [filter] [guests] [{ 10.1.0.11 }]",
    );
    expect(await run("30-firewall", "departed")).toMatchObject(done);
    expect((await calls()).split("\n")[3]).toBe(
      "nft [delete] [element] [inet] [filter] [guests] [{ 10.1.0.10 }]",
    );
  });
});
