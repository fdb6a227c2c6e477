import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { execa } from "execa";
import { vi } from "vitest";
import { daemonSocket, downLab, labNodePrefix, restartDaemon } from "../../../src/lab/index.ts";
import { daemonOf } from "../../support/daemon-of.ts";
import { type DocBlock, root } from "../../support/doc-blocks.ts";
import { ask } from "../../support/get.ts";
import { configurationPath, TestLab } from "../../support/lab.ts";
import { makeStandInCheckout } from "../../support/stand-in-checkout.ts";

/** What is run of a block. */
export type RunnableBlock = Pick<DocBlock, "page" | "run" | "language" | "text">;

/**
 * The places in which the documentation's blocks are run: a checkout beside the lab (`lab`; `end` takes it down), a
 * machine without one (`here`), a host with an empty network (`new-host`), and the lab's nodes. Each page has a folder
 * of its own, the same at all places, in which what one block has made is there for the next.
 */
export class DocLab implements AsyncDisposable {
  readonly name = `docs${process.pid}`;
  readonly #lab = TestLab.shared(this.name);
  readonly #folder: string;

  static async create(): Promise<DocLab> {
    const folder = await mkdtemp(join(tmpdir(), "sojourn-docs-"));
    makeStandInCheckout(join(folder, "checkout"));
    writeFileSync(join(folder, ".curlrc"), "fail-with-body\n");
    const lab = new DocLab(folder);
    await downLab(lab.name);
    return lab;
  }

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Runs a block as it is written; a node's begins with the guest at home and nothing under way. */
  async run({ page, run, language, text }: RunnableBlock) {
    if (run === "lab" || run === "end") return this.#bash(text, join(this.#folder, "checkout"));
    const folder = join(this.#folder, basename(page, ".md"));
    mkdirSync(folder, { recursive: true });
    const script = orderly(text.replaceAll("/opt/sojourn/", root));
    if (run === "here") return this.#bash(script, folder);
    if (run === "new-host") return this.#bash(script, folder, ["unshare", "--net", "--"]);
    await this.bringHome();
    const node = run ?? "";
    const prefix = [...labNodePrefix(this.name, node), "env", "--unset=SOJOURN_LAB"];
    if (language === "ts") return this.#bash(programOf(folder, text), folder, prefix);
    const read = this.#readings(node);
    const ran = await this.#bash(script, folder, prefix);
    if (text.includes("sojourn token create")) {
      await vi.waitUntil(() => this.#readings(node) > read, { timeout: 10_000 });
    }
    return ran;
  }

  /** Adds blocks to their hosts' configuration, for all that follow. */
  async configure(blocks: readonly DocBlock[]): Promise<void> {
    for (const [host, ofHost] of Map.groupBy(blocks, ({ run }) => run ?? "")) {
      const added = ofHost.map(({ text }) => `\n${text}`).join("");
      appendFileSync(configurationPath(this.name, host), added);
      await restartDaemon(this.name, host);
    }
  }

  /** Waits for the end of what is under way, and moves the guest home if it is away. */
  async bringHome(): Promise<void> {
    await vi.waitUntil(() => this.#isWithoutBenchmark(), { timeout: 60_000, interval: 100 });
    const client = daemonOf(this.name, "host-a");
    const ended = async (id: string) => {
      for await (const _ of client.migrationEvents(id, AbortSignal.timeout(60_000)));
    };
    for await (const { id } of client.eachMigration({ isOpen: true })) await ended(id);
    const [guest] = await client.listGuests();
    if (guest?.state !== "away") return;
    await ended((await client.startMigration({ guest: guest.name, to: "host-a" })).id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await downLab(this.name);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #isWithoutBenchmark(): Promise<boolean> {
    const { body } = await ask(daemonSocket(this.name, "host-a"), "/v1/benchmarks");
    return (JSON.parse(body) as { ended_ms: number | null }[]).every(
      ({ ended_ms }) => ended_ms !== null,
    );
  }

  /** How often a node's daemon has noticed that its tokens were others. */
  #readings(node: string): number {
    if (node === "client") return 0;
    return this.#lab.log(node).split("tokens of the API were read again").length;
  }

  async #bash(script: string, folder: string, prefix: readonly string[] = []) {
    const begin = `PATH="$PATH:${dirname(process.execPath)}"; cd '${folder}'`;
    const [program = "", ...args] = [...prefix, "/bin/bash", "-euo", "pipefail"];
    const tools = [join(this.#folder, "checkout", "tools"), join(root, "bin")];
    const { exitCode, all } = await execa(program, [...args, "-c", `${begin}\n${script}`], {
      ...({ reject: false, all: true, stdin: "ignore", timeout: 120_000, detached: true } as const),
      env: {
        SOJOURN_LAB: this.name,
        CURL_HOME: this.#folder,
        PATH: [...tools, process.env.PATH].join(delimiter),
      },
    });
    return { exitCode, all };
  }
}

/** What a block has left in the background ends with it. */
function orderly(script: string): string {
  return `trap 'trap "" TERM; kill 0' EXIT\n${script}`;
}

/** A program in the page's folder, with the package's client as this checkout has it. */
function programOf(folder: string, text: string): string {
  const path = join(folder, "program.mts");
  writeFileSync(path, text);
  const preload = new URL("../../support/client-of-sources.ts", import.meta.url).href;
  return `exec '${process.execPath}' --import '${preload}' '${path}'`;
}
