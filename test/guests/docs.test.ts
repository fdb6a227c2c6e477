import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { downLab, labNodePrefix } from "../../src/lab/index.ts";
import { blocksOf, type DocBlock, docPages, root } from "../support/doc-blocks.ts";
import { exampleCommand, RunningExample } from "../support/example.ts";

const lab = `docs${process.pid}`;

const blocks = docPages()
  .flatMap(blocksOf)
  .filter(({ run }) => run !== null);
/** The lab's own page builds the lab that the others' commands are run in, and takes it down. */
const isFirst = ({ page, run }: DocBlock) =>
  page.endsWith("first-five-minutes.md") && run === "lab";
const inOrder = [
  ...blocks.filter(isFirst),
  ...blocks.filter((block) => !isFirst(block) && block.run !== "end"),
];
const last = blocks.filter(({ run }) => run === "end");

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sojourn-docs-"));
  await downLab(lab);
});

afterAll(async () => {
  await downLab(lab);
  await rm(folder, { recursive: true, force: true });
});

test.each(inOrder)("$page, line $line, runs as it is written ($run)", runBlock);

test("the controller of the examples empties host-a when it is told to end", async () => {
  await bringHome();
  const command = [
    ...labNodePrefix(lab, "host-a"),
    ...exampleCommand("empty-host.mjs", ["host-b"]),
  ];
  await using controller = new RunningExample(command as [string, ...string[]]);
  await controller.line(/^ready$/);
  controller.signal("SIGTERM");
  expect(await controller.ended()).toBe(0);
  expect(controller.lines).toEqual(["ready", "web1 to host-b: completed", "empty"]);
});

test.each(last)("$page, line $line, runs as it is written ($run)", runBlock);

async function runBlock({ run, text }: DocBlock): Promise<void> {
  const isCheckout = run === "lab" || run === "end";
  const isLocal = isCheckout || run === "here";
  if (!isLocal) await bringHome();
  const script = `set -eu\n${text.replaceAll("/opt/sojourn/", root)}`;
  const options = {
    ...({ reject: false, all: true, stdin: "ignore", timeout: 120_000 } as const),
    cwd: isCheckout ? root : folder,
    env: { SOJOURN_LAB: lab, PATH: [join(root, "bin"), process.env.PATH].join(delimiter) },
  };
  const inNode = ["lab", "exec", run ?? "", "--", "sh", "-c", `cd ${folder}\n${script}`];
  const ran = isLocal
    ? await execa("/bin/sh", ["-c", script], options)
    : await execa(join(root, "bin", "sojourn"), inNode, options);
  expect(ran.exitCode, ran.all).toBe(0);
}

/** Each block of a host is one that its reader begins with the guest at home, and nothing under way. */
async function bringHome(): Promise<void> {
  const sojourn = join(root, "bin", "sojourn");
  const env = { SOJOURN_LAB: lab };
  const within = ["lab", "exec", "host-a", "--", "sojourn"];
  const ask = (...args: string[]) => execa(sojourn, [...within, ...args], { env, reject: false });
  const { stdout } = await ask("status", "--json");
  const open = (JSON.parse(stdout) as { id: string; ended_ms: number | null }[]).filter(
    ({ ended_ms }) => ended_ms === null,
  );
  for (const { id } of open) await ask("watch", id);
  const guest = JSON.parse((await ask("guest", "show", "web1", "--json")).stdout);
  if (guest.state === "away") await ask("migrate", "web1", "--to", "host-a", "--no-probe");
}
