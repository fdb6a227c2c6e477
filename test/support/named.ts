import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { DnsConfig } from "../../src/daemon/dns/config.ts";
import type { NameServer } from "../../src/daemon/dns/name-server.ts";
import { findTool, runCommand } from "../../src/platform/command.ts";
import { type ErrorRecord, SojournError } from "../../src/platform/errors.ts";
import { type Namespace, nodePath } from "./namespaces.ts";

/** BIND's server for one zone, in a namespace, with a key that may update it. */
export class Named implements AsyncDisposable {
  readonly config: DnsConfig;
  readonly #namespace: Namespace;
  readonly #folder: string;
  #process: ChildProcess | null = null;

  private constructor(namespace: Namespace, folder: string) {
    this.#namespace = namespace;
    this.#folder = folder;
    this.config = {
      ...{ server: "127.0.0.1", port: 53, zone: "guests.test", name: "{guest}.guests.test" },
      ...{ keyPath: join(folder, "key"), ttlS: 60 },
    };
  }

  /** @param records lines of the zone's file. */
  static async start(namespace: Namespace, records: readonly string[]): Promise<Named> {
    const folder = mkdtempSync(join(tmpdir(), "sojourn-named-"));
    const named = new Named(namespace, folder);
    try {
      await named.#write(records);
      await named.run();
      return named;
    } catch (error) {
      await named[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Resolves once it answers. */
  async run(): Promise<void> {
    const child = spawn(
      findTool("nsenter"),
      [`--net=/run/netns/${this.#namespace.name}`, join(this.#folder, "named")].concat([
        ...["-g", "-n", "1", "-c", join(this.#folder, "named.conf")],
      ]),
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    this.#process = child;
    for await (const line of createInterface({ input: child.stderr })) {
      if (/ running$/.test(line)) break;
    }
    child.stderr.resume();
    if (child.exitCode !== null) throw new Error(`named has ended with ${child.exitCode}`);
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  /** Address and TTL of each of the name's records, as dig prints them. */
  async look(name: string): Promise<string[]> {
    const question = ["@127.0.0.1", "+norecurse", "+noall", "+answer", name, "A"];
    const { stdout } = await this.#namespace.run(findTool("dig"), question);
    const answers = stdout.split("\n").filter((line) => line !== "");
    return answers.map((line) => line.split(/\s+/)).map((parts) => `${parts[4]} ${parts[1]}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #write(records: readonly string[]): Promise<void> {
    const folder = this.#folder;
    // Where AppArmor confines named by its path, it could read nothing here.
    copyFileSync(findTool("named"), join(folder, "named"));
    chmodSync(join(folder, "named"), 0o700);
    const { stdout: key } = await runCommand("tsig-keygen", ["mover"]);
    writeFileSync(join(folder, "key"), key, { mode: 0o600 });
    const zone = ["$TTL 300", "@ SOA ns.guests.test. root.guests.test. 1 60 60 60 60", "@ NS ns"];
    const own = [...zone, "ns A 127.0.0.1", ...records, ""];
    writeFileSync(join(folder, "zone"), own.join("\n"));
    const options = [
      ...[`directory "${folder}"`, `pid-file none`, `session-keyfile none`, "recursion no"],
      ...["listen-on { 127.0.0.1; }", "listen-on-v6 { none; }", "dnssec-validation no"],
      `managed-keys-directory "${folder}"`,
    ];
    const rights = "update-policy { grant mover zonesub A; }";
    writeFileSync(
      join(folder, "named.conf"),
      `include "${folder}/key";\noptions { ${options.join("; ")}; };\ncontrols { };\n` +
        `zone "guests.test" { type primary; file "${folder}/zone"; ${rights}; };\n`,
    );
  }
}

/** The daemon's way to a name server, from inside a namespace. */
export async function nameServerIn(
  namespace: Namespace,
  config: DnsConfig,
): Promise<Pick<NameServer, "ttlOf" | "change"> & AsyncDisposable> {
  const driver = fileURLToPath(new URL("./name-driver.ts", import.meta.url));
  const child = spawn(
    findTool("nsenter"),
    [`--net=/run/netns/${namespace.name}`, nodePath, driver, JSON.stringify(config)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let last: Promise<unknown> = Promise.resolve();
  const call = (method: string, ...args: unknown[]): Promise<unknown> => {
    const answered = last.then(async () => {
      child.stdin.write(`${JSON.stringify({ method, args })}\n`);
      const line = await lines.next();
      if (line.done) throw new Error(`the name driver ended at ${method}`);
      const answer = JSON.parse(line.value) as { result?: unknown; error?: ErrorRecord };
      if (answer.error !== undefined) throw SojournError.fromRecord(answer.error, 500);
      return answer.result;
    });
    last = answered.catch(() => {});
    return answered;
  };
  return {
    ttlOf: (name, address) => call("ttlOf", name, address) as Promise<number | null>,
    change: (change) => call("change", change) as Promise<void>,
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
    },
  };
}
