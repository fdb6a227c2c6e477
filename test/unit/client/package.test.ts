import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..", "..");

/** Uses every kind of name that the client exports, and nothing that it does not. */
const program = `
import { createClient, defaultSocketPath, SojournError, type MigrationStatus } from "sojourn/client";

const client = createClient({ socketPath: "/nonexistent/sojourn.sock" });
try {
  const status: MigrationStatus = await client.getMigration("m1");
  console.log(status.state);
} catch (error) {
  if (error instanceof SojournError) console.log(error.code, error.exitCode, typeof defaultSocketPath());
}
`;

test("the built package lets a program import sojourn/client, with its types", {
  timeout: 60_000,
}, () => {
  const folder = mkdtempSync(join(tmpdir(), "sojourn-package-"));
  try {
    const modules = join(folder, "node_modules");
    const installed = join(modules, "sojourn");
    mkdirSync(installed, { recursive: true });
    cpSync(join(root, "package.json"), join(installed, "package.json"));
    run("tsc", ["-p", join(root, "tsconfig.build.json"), "--outDir", join(installed, "dist")]);
    for (const name of ["zod", "@types", "@opentelemetry"]) {
      symlinkSync(join(root, "node_modules", name), join(modules, name));
    }
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    writeFileSync(join(folder, "program.ts"), program);
    const strict = [
      "--ignoreConfig",
      "--strict",
      "--types",
      "node",
      "--noEmit",
      "--module",
      "nodenext",
      "--target",
      "es2024",
    ];
    run("tsc", [...strict, join(folder, "program.ts")]);
    const said = execFileSync(process.execPath, [join(folder, "program.ts")], { encoding: "utf8" });
    expect(said.trim()).toBe("SOJ_DAEMON_UNREACHABLE 7 string");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function run(tool: string, args: readonly string[]): void {
  execFileSync(join(root, "node_modules", ".bin", tool), args, { stdio: ["ignore", 2, 2] });
}
