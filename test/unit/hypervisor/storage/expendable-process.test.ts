import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ExpendableProcess } from "../../../../src/hypervisor/storage/expendable-process.ts";
import { temporaryFolder } from "../../migrator/support.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

function program(text: string): string {
  const path = join(folder.path, "program.mjs");
  writeFileSync(path, text);
  return path;
}

const perLine = (work: string) => `
  import { createInterface } from "node:readline";
  for await (const line of createInterface({ input: process.stdin })) { ${work} }`;

it("answers one question after the other", async () => {
  using child = new ExpendableProcess(
    program(
      perLine("console.log('#/images'); console.log(JSON.stringify({ got: JSON.parse(line) }));"),
    ),
  );
  expect(await child.ask({ number: 1 }, 10_000)).toEqual({ got: { number: 1 } });
  expect(await child.ask({ number: 2 }, 10_000)).toEqual({ got: { number: 2 } });
  expect(child.doing).toBe("/images");
});

it("is given up when it hangs, with what it was about to do", async () => {
  using child = new ExpendableProcess(program(perLine("console.log('#/mnt/away/disk.img');")));
  await expect(child.ask({}, 4_000)).rejects.toMatchObject({
    code: "SOJ_STORAGE_SILENT",
    exitCode: 3,
    retryable: true,
    message: "/mnt/away/disk.img did not answer within 4000 ms",
  });
});

it("that ends instead of answering is told of", async () => {
  using child = new ExpendableProcess(program("console.error('no such thing'); process.exit(3);"));
  await expect(child.ask({}, 10_000)).rejects.toMatchObject({
    code: "SOJ_STORAGE_CHECK",
    message: expect.stringContaining("no such thing"),
  });
});

it("that answers without end is ended", async () => {
  using child = new ExpendableProcess(
    program(perLine("process.stdout.write('x'.repeat(3 * 1024 * 1024));")),
  );
  await expect(child.ask({}, 10_000)).rejects.toThrow("a line longer than 1048576 bytes");
});
