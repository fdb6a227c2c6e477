import { afterAll, beforeAll, expect, test } from "vitest";
import { labNodePrefix } from "../../src/lab/index.ts";
import { blocksForTest, blocksOf, docPages } from "../support/doc-blocks.ts";
import { exampleCommand, RunningExample } from "../support/example.ts";
import { DocLab } from "./support/doc-lab.ts";

const blocks = docPages()
  .flatMap(blocksOf)
  .filter(({ run }) => run !== null);
const settings = blocks.filter(({ language }) => language === "toml");
const inCheckout = blocks.filter(({ run }) => run === "lab");
const last = blocks.filter(({ run }) => run === "end");
const others = blocks.filter((block) => ![settings, inCheckout, last].flat().includes(block));

let lab: DocLab;

beforeAll(async () => {
  lab = await DocLab.create();
});
afterAll(() => lab?.[Symbol.asyncDispose]());

test("the demo shows what it promises; here it leaves its lab to the other lines", async () => {
  const demos = blocksForTest("test/guests/docs.test.ts").map(({ text }) => text.split(" #")[0]);
  expect(new Set(demos.map((line) => line?.trim()))).toEqual(new Set(["sudo ./scripts/demo"]));
  const text = `${demos[0]?.trim()} --keep`;
  const { exitCode, all } = await lab.run({ page: "README.md", run: "lab", language: "sh", text });
  expect(exitCode, all).toBe(0);
  expect(all).toMatch(/blackout +[0-9.]+ ms/);
  await lab.bringHome();
});

const titled = "$page, line $line, runs as it is written ($run)";

test.each(inCheckout)(titled, runBlock);

test("the pages' settings are those of a daemon that runs", async () => {
  await lab.bringHome();
  await lab.configure(settings);
});

test.each(others)(titled, runBlock);

test("the controller of the examples empties host-a when it is told to end", async () => {
  await lab.bringHome();
  const command = [
    ...labNodePrefix(lab.name, "host-a"),
    ...exampleCommand("empty-host.mjs", ["host-b"]),
  ];
  await using controller = new RunningExample(command as [string, ...string[]]);
  await controller.line(/^ready$/);
  controller.signal("SIGTERM");
  expect(await controller.ended()).toBe(0);
  expect(controller.lines).toEqual(["ready", "web1 to host-b: completed", "empty"]);
});

test.each(last)(titled, runBlock);

async function runBlock(block: (typeof blocks)[number]): Promise<void> {
  const { exitCode, all } = await lab.run(block);
  expect(exitCode, all).toBe(0);
}
